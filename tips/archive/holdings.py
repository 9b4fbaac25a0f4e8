"""Lists what an archive of a study holds, under the names of a project's folder.

What it lists can be read as a project: `tips.placed` opens an unpacked archive like any other. What
is left out: frames and features, states of trainings, logs, the MLflow database and, unless they
are asked for, weights. A dataset that has owners stays with them: of it, only the digests go along.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tips.config import MEAN_POSE, Study
from tips.paths import Paths, scored
from tips.temporaries import visible
from tips.training.finished import CHECKPOINT, INTERPOLATOR, JOURNAL, MARK, RECORD

CODE: Final = Path(__file__).parents[2]  # the project whose code runs
WORKFLOW: Final = ("Snakefile", "*.yaml", "rules/*.smk", "schemas/*", "profiles/*/*")
BESIDE: Final = ("LICENSE", "environment.yml", "requirements.lock")
OF_A_RUN: Final = (RECORD, JOURNAL, MARK, "failed.json", "dirty.diff")
WEIGHTS: Final = (CHECKPOINT, INTERPOLATOR)
OF_RESULTS: Final = (
    *("tables/*.csv", "tables/*.tex", "figures/*", "benchmarks/*/*.tsv", "speed.json"),
    *("seed-scores.json", "proofs.json", "made.json", "kernels.json", "contract.json"),
)
OF_REPORTS: Final = ("index.html", "report.md", "numbers.json", "figures/*")


class Held(NamedTuple):
    """One run that an archive holds: its folder and the names of its files in the project."""

    variant: str
    seed: int
    folder: str
    files: tuple[str, ...]


class Holdings(NamedTuple):
    """Everything that an archive holds: files by their names in the project, and its runs."""

    files: dict[str, Path]
    runs: tuple[Held, ...]
    wanted: int  # runs that the study should have


def holdings(study: Study, paths: Paths, experiments: Path, weights: bool) -> Holdings:
    """Lists what there is of a study in the working folder.

    Args:
        study: the study.
        paths: the study's folders.
        experiments: the folder of its configuration.
        weights: whether weights go along.
    """
    wanted = dict.fromkeys((name, int(seed)) for name, seed, _ in scored(study))
    runs = [_run(study, paths, name, seed, weights) for name, seed in wanted]
    found = [
        *visible(experiments, "**/*.yaml"),
        *(file for pattern in OF_RESULTS for file in visible(paths.results, pattern)),
        *(file for pattern in OF_REPORTS for file in visible(paths.reports, pattern)),
        *visible(paths.results / "groups" / paths.dataset, "*.json"),
        *(paths.cost, *visible(paths.bench, "*.json")),
        *_of_data(study, paths, weights),
    ]
    files = {_name(file): file for file in found if file.is_file()}
    files |= {name: Path(name) for run in runs for name in run.files}
    files |= {_name(file.relative_to(CODE)): file for file in _code()}
    return Holdings(files, tuple(run for run in runs if run.files), len(wanted))


def _run(study: Study, paths: Paths, name: str, seed: int, weights: bool) -> Held:
    """Lists the files of one run."""
    folder, run = paths.run(name, str(seed)), (name, str(seed))
    found = [folder / one for one in (*OF_A_RUN, *(WEIGHTS if weights else ()))]
    for boxes in dict.fromkeys((study.scale.evaluation.boxes, study.scale.evaluation.other_boxes)):
        found += [paths.predictions(*run, boxes), paths.predicted(*run, boxes)]
        found += [paths.metrics(*run, boxes), paths.evidence(*run, boxes)]
    return Held(name, seed, _name(folder), tuple(_name(one) for one in found if one.is_file()))


def _of_data(study: Study, paths: Paths, weights: bool) -> Iterator[Path]:
    """Yields what goes along of the data: all that scores are computed from, if it is ours."""
    yield paths.manifest
    yield from visible(paths.data / "interim", "*/psnr.json")
    patterns = ("*.json", "*.jsonl", *(["*.pt"] if weights else []))
    yield from (file for one in patterns for file in visible(paths.vfit.parent, one))
    if study.scale.dataset.kind == "embedded":
        yield paths.annotations("val")
        yield from visible(paths.data, "boxes-*.json")
        yield from visible(paths.data / "truth" / "val", "*.json")


def _code() -> Iterator[Path]:
    """Yields the workflow, which the crate's metadata name, and what it is run with."""
    yield from (file for one in WORKFLOW for file in visible(CODE / "workflow", one))
    yield from (CODE / name for name in BESIDE if (CODE / name).is_file())


def _name(file: Path) -> str:
    return file.as_posix()


def describes_network(run: Held) -> bool:
    """Tells whether a run trained a network, and has a record of that."""
    return run.variant != MEAN_POSE and any(name.endswith(RECORD) for name in run.files)
