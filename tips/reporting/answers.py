"""Answers the items of the reproducibility checklist from what the program finds of a study.

Every function answers one item: "yes" where the study's files show it, "no" where they show the
contrary or only a part, and "unknown" where they say nothing. Nothing here is an opinion.
"""

import ast
from collections import Counter
from typing import Final

from tips.reporting import job_times
from tips.reporting.facts import PROJECT, Answer, Facts, complete, listed, scale_file
from tips.tables import markdown
from tips.tables.cells import known
from tips.tables.claims import CLAIMS, EQUIVALENT, OPPOSITE, SHOWN, UNDECIDED, checked
from tips.tables.compared import UNKNOWN
from tips.tables.costs import read_costs
from tips.tables.same_variant import SAME_VARIANT

METRICS: Final = {"AP": "average_precision", "PCK": "pck"}  # the file that computes a metric
NETWORKS: Final = ("models", "losses", "ops")  # folders of tips/ with the paper's equations


def untold(_: Facts) -> Answer:
    """Answers what no file of a study can tell."""
    return Answer("unknown", "no record tells; whoever publishes the study has to say")


def nothing_proved(_: Facts) -> Answer:
    """Answers items on theory."""
    return Answer("not applicable", "the study trains and measures; it states no theorem")


def claims(found: Facts) -> Answer:
    """Counts the verdicts on the conclusions of the paper."""
    rows = found.page.of(CLAIMS)
    verdicts = Counter(row.verdict for row in rows)
    counts = listed(f"{number} {verdict}" for verdict, number in verdicts.most_common())
    judged = sum(verdicts[one] for one in (SHOWN, OPPOSITE, EQUIVALENT, UNDECIDED))
    sentence = (
        f"{len(rows)} conclusions of the paper: {markdown.text(counts)}; the sentences of "
        '`report.md`, "The answer in short", are computed from them'
    )
    return Answer("yes" if judged else "unknown", sentence)


def limitations(found: Facts) -> Answer:
    """Counts the departures from the papers."""
    return Answer(
        "yes" if found.departures else "no",
        f"{found.departures} departures from the papers and readings of them, each with its "
        'reason: `report.md`, "Deviations from the papers"',
    )


def records(found: Facts) -> Answer:
    """Counts the trainings whose record says what they were made from."""
    done = len(found.trained)
    return complete(
        done,
        found.trainings,
        f"{done} of {found.trainings} runs have a record of their settings, code, data, versions "
        f"and machine (`provenance.json`); `{_again(found)}` makes all of it again",
    )


def details(found: Facts) -> Answer:
    """Counts the files that hold all settings."""
    scale = found.page.study.scale.name
    return Answer(
        "yes",
        f"`experiments/` holds {len(found.page.study.variants)} variants of this scale, "
        f"{scale_file(scale)} its data, splits, sizes, schedules and evaluation",
    )


def hyper_parameters(found: Facts) -> Answer:
    """Tells where settings are; ranges that were searched are in no record."""
    contract = found.page.study.scale.contract
    chosen = (
        f"the difficulty of the data was fixed on data seeds {listed(contract.seeds)}"
        if contract
        else "no record says how they were chosen"
    )
    return Answer(
        "unknown",
        f"all of them are in {len(found.trained)} run records and in `experiments/`; {chosen}; "
        "the ranges that were tried are in no record",
    )


def significance(found: Facts) -> Answer:
    """Counts the gains that have an interval."""
    gains = [line.gain for line in found.lines if known(line.gain.value)]
    judged = sum(gain.verdict != UNKNOWN for gain in gains)
    sequences = found.page.row(SAME_VARIANT).sequences
    return Answer(
        "yes" if judged else "no",
        f"{judged} of {len(gains)} gains have a 95 % interval, the others say *unknown*: "
        f"{found.page.study.scale.evaluation.resamples:,} resamples of {sequences} validation "
        "sequences and the variance between seeds; Holm's adjustment over "
        f"{checked(found.page.of(CLAIMS))} conclusions",
    )


def variation(found: Facts) -> Answer:
    """Counts the rows that several seeds stand behind."""
    several = sum(known(line.sd) for line in found.lines)
    return Answer(
        "yes" if several else "no",
        f"{several} of {len(found.lines)} measured rows of the tables are a mean over several "
        "seeds with its deviation; a row of one seed has none",
    )


def compute(found: Facts) -> Answer:
    """Sums the time of trainings and jobs."""
    hours = sum(run.seconds for run in found.trained) / 3600
    spent = job_times.read(found.page.paths.results / "benchmarks")
    jobs = (
        f"all {sum(one.jobs for one in spent)} jobs {sum(one.wall for one in spent) / 3600:.3g} h, "
        "the memory of each in the column `max_rss` of `results/.../benchmarks`"
        if spent
        else "no record tells the memory"
    )
    return complete(
        len(found.trained) if spent else 0,
        found.trainings,
        f"{hours:.3g} h in {len(found.trained)} of {found.trainings} trainings, on "
        f"{_machines(found)}; {jobs}",
    )


def runtime(found: Facts) -> Answer:
    """Gives the mean time of a training."""
    seconds = sorted(run.seconds for run in found.trained)
    mean = sum(seconds) / max(len(seconds), 1)
    span = f"mean {mean:.1f} s, {seconds[0]:.1f} to {seconds[-1]:.1f} s" if seconds else "none"
    return complete(
        len(seconds),
        found.trainings,
        f"{len(seconds)} of {found.trainings} trainings: {span}; energy is not measured",
    )


def infrastructure(found: Facts) -> Answer:
    """Lists machines, devices and versions of the trainings."""
    versions = {f"{name} {one}" for run in found.trained for name, one in run.versions.items()}
    return complete(
        len(found.trained),
        found.trainings,
        f"{_machines(found)}; {markdown.text(listed(sorted(versions)))}",
    )


def number_of_runs(found: Facts) -> Answer:
    """Counts trainings and evaluations."""
    states = Counter(run.state for run in found.measured)
    done, all_ = states["present"], len(found.measured)
    rest = "".join(f", {states[state]} {state}" for state in ("failed", "missing") if states[state])
    return complete(
        done,
        all_,
        f"{len(found.trained)} of {found.trainings} trainings; {done} of {all_} evaluations{rest}",
    )


def model(found: Facts) -> Answer:
    """Counts the files that name the equations which they compute."""
    files = [
        path for path in (PROJECT / "tips").rglob("*.py") if "(Eq. " in path.read_text("utf-8")
    ]
    return complete(
        len(files),
        len(files),
        f"`tips/models/tips/network.py`; {len(files)} files of `tips/` name the paper's equations "
        "beside the code that computes them",
    )


def complexity(found: Facts) -> Answer:
    """Counts the networks whose cost was counted."""
    number = len(read_costs(found.page.paths.cost))
    return Answer(
        "yes" if number else "unknown",
        f"parameters, multiply-adds and activation memory of {number} networks at the paper's "
        'size: `report.md`, "What the networks cost"',
    )


def dependencies(found: Facts) -> Answer:
    """Counts the packages of the lock file."""
    lock = PROJECT / "requirements.lock"
    lines = lock.read_text("utf-8").splitlines() if lock.is_file() else []
    pinned = sum("==" in line and not line.startswith((" ", "#")) for line in lines)
    return Answer(
        "yes" if pinned else "no",
        f"`requirements.lock`: {pinned} packages, each with the digests of its files; "
        "`environment.yml` for conda",
    )


def training_code(found: Facts) -> Answer:
    """Looks for the code that trains."""
    return _code("tips/stages/train.py", "`tips stage train`")


def evaluation_code(found: Facts) -> Answer:
    """Looks for the code that scores."""
    return _code("tips/stages/evaluate.py", "`tips stage evaluate`, and `tips evaluate` for others")


def trained_models(found: Facts) -> Answer:
    """Counts the checkpoints that are kept; the repository has none."""
    study, paths = found.page.study, found.page.paths
    kept = sum(
        paths.checkpoint(name, str(seed)).is_file()
        for name, variant in study.variants.items()
        for seed in range(variant.seeds)
    )
    return Answer(
        "no",
        f"none is published; {kept} of {found.trainings} runs keep theirs on the machine that made "
        "this page (`results/.../checkpoint.pt`)",
    )


def readme(found: Facts) -> Answer:
    """Looks for results with their command in README.md."""
    file = PROJECT / "README.md"
    text = file.read_text("utf-8") if file.is_file() else ""
    named = "make reproduce" in text and "report.md)" in text
    return Answer(
        "yes" if named else "no",
        "`README.md` " + ("names" if named else "does not name") + " the command and the reports "
        f"that it makes; of this page: `{_again(found)}`",
    )


def measure(found: Facts) -> Answer:
    """Names the metric and the file that computes it."""
    metric = found.page.study.scale.dataset.metric
    file = PROJECT / "tips/evaluation" / f"{METRICS[metric]}.py"
    said = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]
    return Answer("yes", f"{metric}: {markdown.code(f'tips/evaluation/{file.name}')}, {said}")


def _code(file: str, command: str) -> Answer:
    there = (PROJECT / file).is_file()
    return Answer("yes" if there else "no", f"`{file}`: {command}")


def _machines(found: Facts) -> str:
    """Lists the machines and devices of the trainings; records are text from outside."""
    ran = sorted({f"{run.machine} ({run.device}, {run.precision})" for run in found.trained})
    return markdown.text(listed(ran)) if ran else "a machine that no record names"


def _again(found: Facts) -> str:
    root = "" if found.rendered else " ROOT=FOLDER"
    return f"make reproduce SCALE={found.page.study.scale.name}{root}"
