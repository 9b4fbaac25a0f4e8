"""Writes the report's sections on its sources: groups, pictures, losses, deviations, time, runs."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import tips
from tips.config import BACKBONE, SCRATCH, SINGLE_FRAME, Study
from tips.paths import Paths
from tips.proofs import Proof, read_proofs
from tips.provenance import shown_commit
from tips.reporting import charts, job_times
from tips.reporting.deviations import Deviation, collect
from tips.tables import markdown, sources
from tips.tables.sheet import Page, Section
from tips.tables.sources import Provenance, Step

FALL_ASKED = 10.0  # percent by which the single-frame control's training loss must fall


class RunRecord(NamedTuple):
    """One run's provenance, and its folder."""

    provenance: Provenance
    folder: Path


def grouping(page: Page) -> Section:
    """Shows what spectral clustering finds, and how far it agrees with Table V."""
    counts, paths = page.study.scale.group_counts, page.paths
    pictures = charts.groups(counts, paths)
    body = (
        "Adjusted mutual information of joint locations in the person's box, spectral clustering; "
        "ARI is the agreement with Table V (1 = the same groups).\n\n"
    )
    rows = []
    for count in counts:
        found = sources.read_if_present(sources.Grouping, paths.groups(str(count)))
        if found is None:
            rows.append([str(count), "missing", "", ""])
            continue
        names = " | ".join(" ".join(group) for group in found.names)
        ari = "-" if found.ari is None else f"{found.ari:.2f}"
        rows.append([str(count), ari, str(found.samples), names])
    body += markdown.table(("N", "ARI", "people", "groups found"), rows, "lrrl")
    for count, file in pictures.items():
        body += "\n" + markdown.image(f"Mutual information of the joints, N = {count}", file)
    return Section("Part grouping from data", body)


def pictures(page: Page) -> Section:
    """Shows synthesized poses, dataset samples and overlays, which the stage `pictures` drew."""
    found = charts.left(page.paths.reports)
    if not found:
        return Section("Pictures", "missing: no picture was made yet.\n")
    body = "\n".join(markdown.image(caption, file) for caption, file in found)
    return Section("Pictures", body)


def training(page: Page) -> Section:
    """Shows loss curves, and how far the total loss of every run fell."""
    curves = _curves(page.study, page.paths)
    if not curves:
        return Section("Training", "missing: no run has a training log yet.\n")
    rows = []
    for name, steps in curves.items():
        fall = fallen(steps)
        rows.append([name, str(steps[-1].step), *_ends(steps), f"{fall:.1f} %"])
    losses = charts.losses(curves, page.paths.reports)
    body = "".join(markdown.image(caption, file) + "\n" for caption, file in losses)
    body += _control(curves)
    header = ("run", "last step", "first tenth", "last tenth", "fall of the total loss")
    body += markdown.folded("Fall of the total loss, every run", markdown.table(header, rows, "lr"))
    return Section("Training", body)


def _control(curves: Mapping[str, Sequence[Step]]) -> str:
    """Tells whether this schedule can train a head, with a random start and with the scale's."""
    first, scratch = _falls(curves, BACKBONE), _falls(curves, SCRATCH)
    second = _falls(curves, SINGLE_FRAME)
    if not (first and scratch and second):
        return ""
    word = "at least" if min(scratch) >= FALL_ASKED else "**less than**"
    return (
        f"The single-frame network's loss fell by {min(first):.1f} % in stage one. Its two "
        f"controls put the full final head on the same frozen features of one frame. From scratch "
        f"(`{SCRATCH}`) the loss fell by {min(scratch):.1f} %, {word} the {FALL_ASKED:.0f} % asked "
        f"of a trained control. With the start that this scale gives to heads (`{SINGLE_FRAME}`), "
        f"it fell by {_span(second)}. A negative fall is a rise; a head that starts from the "
        "backbone's own heat maps finds little left to correct.\n\n"
    )


def _span(falls: Sequence[float]) -> str:
    low, high = min(falls), max(falls)
    return f"{low:.1f} %" if len(falls) == 1 else f"{low:.1f} to {high:.1f} %"


def _falls(curves: Mapping[str, Sequence[Step]], variant: str) -> list[float]:
    return [fallen(steps) for name, steps in curves.items() if name.startswith(f"{variant} ")]


def fallen(steps: Sequence[Step]) -> float:
    """Computes the fall in percent of the mean total from the first tenth of steps to the last."""
    first, last = _tenths(steps)
    return 100 * (first - last) / first if first else 0.0


def _ends(steps: Sequence[Step]) -> list[str]:
    return [f"{value:.4g}" for value in _tenths(steps)]


def _tenths(steps: Sequence[Step]) -> tuple[float, float]:
    count = max(1, len(steps) // 10)
    first = sum(step.total for step in steps[:count]) / count
    return first, sum(step.total for step in steps[-count:]) / count


def deviations(page: Page) -> Section:
    """Lists the departures from the papers, with links to the code."""
    found = collect(Path(tips.__file__).parents[1])
    root = os.path.relpath(Path(), page.paths.reports)
    rows = [
        [
            markdown.link(f"{one.file.removeprefix('tips/')}:{one.line}", _source(one, root)),
            markdown.Markdown(one.paper),
            markdown.Markdown(one.here),
        ]
        for one in found
    ]
    body = (
        f"{len(rows)} departures and readings, collected from the comments in the code.\n\n"
        + markdown.table(("where", "the paper", "here"), rows)
    )
    return Section("Deviations from the papers", body)


def _source(one: Deviation, root: str) -> str:
    return f"{root}/{one.file}#L{one.line}"


def time(page: Page) -> Section:
    """Shows how long the jobs of the study took."""
    spent = job_times.read(page.paths.results / "benchmarks")
    if not spent:
        return Section("Time", "missing: Snakemake's benchmark files were not found.\n")
    rows = [
        [one.rule, str(one.jobs), _minutes(one.wall), _minutes(one.cpu), _minutes(one.longest)]
        for one in spent
    ]
    total = sum(one.wall for one in spent)
    cpu = sum(one.cpu for one in spent)
    rows.append(
        [
            markdown.bold("all"),
            str(sum(one.jobs for one in spent)),
            _minutes(total),
            _minutes(cpu),
            "",
        ]
    )
    body = (
        "Sums over jobs, from Snakemake's benchmarks; jobs run side by side, so the wait "
        "is shorter than the sum of wall times.\n\n"
        + markdown.table(("rule", "jobs", "wall", "CPU", "longest job"), rows, "lr")
    )
    return Section("Time", body)


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def provenance(page: Page) -> Section:
    """Lists data, code, configuration and machine of every number."""
    runs, proofs = run_records(page), read_proofs(page.paths.proofs)
    folder = page.paths.reports
    if not runs:
        return Section("Provenance", "missing: no run has a provenance file yet.\n")
    columns = {name: [show(run.provenance) for run in runs] for name, show in FACTS.items()}
    alike = [name for name, values in columns.items() if len(set(values)) == 1]
    differ = [name for name in columns if name not in alike]
    body = "Of every run behind this page" + (":\n\n" if alike else ".\n")
    body += markdown.bullets(f"{name}: {markdown.text(columns[name][0])}" for name in alike)
    header = ["run", "config", *differ, "parameters", "steps", "training", "files"]
    rows = [
        [
            f"{run.provenance.variant} / {run.provenance.seed}",
            markdown.code(run.provenance.config_digest[:8]),
            *(columns[name][place] for name in differ),
            f"{run.provenance.parameters:,}",
            str(run.provenance.steps),
            _minutes(run.provenance.seconds),
            _files(run, folder),
        ]
        for place, run in enumerate(runs)
    ]
    align = "ll" + "l" * len(differ) + "rrrl"
    body += "\n" + markdown.table(header, rows, align)
    if proofs:
        body += "\nEdits that `tips recheck` proved harmless:\n\n"
        body += markdown.bullets(_proof(proof) for proof in proofs)
    return Section("Provenance", body)


def _run(variant: str, seed: int) -> str:
    return f"{markdown.code(variant)} {seed}"


def _proof(proof: Proof) -> str:
    files = sorted({file for pairs in proof.changes.values() for file in pairs})
    commit = shown_commit(proof.commit, dirty=False, digits=10)
    return (
        f"{', '.join(map(markdown.code, files))}: {markdown.code(proof.run[0])} seed "
        f"{proof.run[1]} was trained again ({markdown.text(proof.time)}, commit "
        f"{markdown.text(commit)}), all {proof.tensors} tensors and every "
        f"pose were equal; this counts for {', '.join(_run(*run) for run in proof.covers)}"
    )


def _files(run: RunRecord, page: Path) -> str:
    folder = os.path.relpath(run.folder, page)
    links = [markdown.link("files", folder)]
    if run.provenance.dirty:
        links.append(markdown.link("diff", f"{folder}/dirty.diff"))
    return markdown.Markdown(", ".join(links))


def _commit(one: Provenance) -> str:
    return one.checkout(10)


def _versions(one: Provenance) -> str:
    return ", ".join(f"{name} {version}" for name, version in sorted(one.versions.items()))


# What a run was made from and by, beside its own configuration.
FACTS: dict[str, Callable[[Provenance], str]] = {
    "commit": _commit,
    "training code": lambda one: markdown.code(one.code_digest[:8]),
    "data": lambda one: markdown.code(one.data_digest[:8]),
    "machine": lambda one: one.machine,
    "device": lambda one: f"{one.ranks} x {one.card}" if one.card else one.device,
    "driver": lambda one: one.driver or "none",
    "precision": lambda one: one.precision,
    "kernels": lambda one: one.kernels,
    "versions": _versions,
    "lock file": lambda one: markdown.code(one.lock_digest[:8] or "not recorded"),
    "compiler of the kernels": lambda one: one.compiler or "not recorded",
    "vector extensions": lambda one: ", ".join(one.vector_extensions) or "not recorded",
}


def _folders(study: Study, paths: Paths) -> list[tuple[str, int, Path]]:
    return [
        (name, seed, paths.run(name, str(seed)))
        for name, variant in study.variants.items()
        for seed in range(variant.seeds)
    ]


def _curves(study: Study, paths: Paths) -> dict[str, list[Step]]:
    curves = {}
    for name, seed, folder in _folders(study, paths):
        log = folder / "train.jsonl"
        steps = sources.steps(log) if log.is_file() else []
        if steps:
            curves[f"{name} / {seed}"] = steps
    return curves


def run_records(page: Page) -> list[RunRecord]:
    """Reads the records of every run of the study that was trained. Raises RecordError."""
    records = []
    for _, _, folder in _folders(page.study, page.paths):
        found = sources.read_if_present(sources.Provenance, folder / "provenance.json")
        if found is not None:
            records.append(RunRecord(found, folder))
    return records
