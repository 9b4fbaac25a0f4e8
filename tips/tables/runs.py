"""Lists the runs that a study should have, and the state of each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tips.chain import Judge
from tips.config import MEAN_POSE, Study
from tips.evaluation.guest_files import GUEST
from tips.evaluation.metrics import Metrics
from tips.paths import Paths
from tips.provenance import file_digest
from tips.records import RecordError, read, regular
from tips.tables import sources
from tips.tables.published import Tables

Status = Literal["done", "partial", "failed", "missing", "stale", "published"]

NOT_IN_SCALE = "not part of this scale"


class Group(NamedTuple):
    """All seeds of one variant on one source of boxes."""

    variant: str
    boxes: str

    def __str__(self) -> str:
        """Gives the name that pages show."""
        return self.variant if self.boxes == "gt" else f"{self.variant} ({self.boxes} boxes)"


class RunFile(NamedTuple):
    """One run: its folder, and the files with what was measured of it."""

    group: Group
    seed: int
    folder: Path
    predictions: Path
    metrics: Path
    evidence: Path
    state: Literal["present", "failed", "missing", "stale"]
    reason: str  # why it failed, or what changed since a stale run was made


def wanted(study: Study, tables: Tables) -> dict[Group, int]:
    """Lists every group that the study should have, with its number of seeds, in a stable order.

    Args:
        study: the scale with its variants.
        tables: the published tables, which name predictors without a network or experiment file.
    """
    evaluation = study.scale.evaluation
    default = evaluation.boxes
    groups = {Group(name, default): variant.seeds for name, variant in study.variants.items()}
    for name in evaluation.other_rows:
        if name in study.variants:
            groups[Group(name, evaluation.other_boxes)] = study.variants[name].seeds
    for table in tables.tables:
        for row in table.rows:
            if row.variant is not None and not row.network:
                groups[Group(row.variant, default)] = 1
    return groups


def find(groups: dict[Group, int], paths: Paths, judge: Judge | None) -> list[RunFile]:
    """Finds every run that the study should have, and its state.

    Args:
        groups: the groups and their numbers of seeds, from `wanted`.
        paths: the paths of the study.
        judge: tells which trainings used other code or another configuration than the present one;
            None calls no run stale.
    """
    truth = file_digest(paths.annotations("val"))
    return [
        _find(_run_file(group, seed, paths), truth, judge)
        for group, seeds in groups.items()
        for seed in range(seeds)
    ]


def find_guest(name: str, paths: Paths) -> RunFile:
    """Finds the files of a guest, which has no seeds, as those of one run.

    Args:
        name: the guest's name.
        paths: the paths of the study.
    """
    names = "predictions.json", "metrics.json", "evidence.npz"
    predictions, metrics, evidence = (paths.guest(name, file) for file in names)
    group, folder = Group(name, GUEST), predictions.parent
    file = RunFile(group, 0, folder, predictions, metrics, evidence, state="present", reason="")
    return _find(file, file_digest(paths.annotations("val")), None)


def _run_file(group: Group, seed: int, paths: Paths) -> RunFile:
    run = group.variant, str(seed), group.boxes
    return RunFile(
        group,
        seed,
        paths.run(group.variant, str(seed)),
        paths.predictions(*run),
        paths.metrics(*run),
        paths.evidence(*run),
        state="present",
        reason="",
    )


def _find(file: RunFile, truth: str, judge: Judge | None) -> RunFile:
    """Fills in the state; `truth` is the digest of the annotations."""
    if not (file.predictions.exists() and file.metrics.exists()):
        failure = sources.read_if_present(sources.Failure, file.folder / "failed.json")
        if failure is not None:
            return file._replace(state="failed", reason=failure.reason)
        return file._replace(state="missing")
    try:
        regular(file.predictions)
        _check(file, truth)
        why = [] if judge is None else list(_stale(judge, file))
    except RecordError as error:
        return file._replace(state="failed", reason=str(error).replace(f"{file.folder}/", ""))
    return file._replace(state="stale", reason="; ".join(why)) if why else file


def _check(file: RunFile, truth: str) -> None:
    """Raises RecordError if the metrics are not those of this run, as its files are now."""
    found = read(Metrics, file.metrics)
    own = file.group.variant, file.seed, file.group.boxes
    if (found.variant, found.seed, found.boxes) != own:
        raise RecordError(
            f"{file.metrics}: of {found.variant}, seed {found.seed}, {found.boxes} boxes"
        )
    if found.inputs.get("predictions") != file_digest(file.predictions):
        raise RecordError(f"{file.predictions} changed since it was measured")
    if found.evidence != file_digest(file.evidence):
        raise RecordError(f"{file.evidence}: not what the metrics were computed from")
    if found.inputs.get("annotations") != truth:
        raise RecordError("the annotations changed since it was measured")


def _stale(judge: Judge, file: RunFile) -> Iterator[str]:
    """Tells why a run is not current: the reasons of its own training first, then the others."""
    name, seed, boxes = file.group.variant, file.seed, file.group.boxes
    if name not in (*judge.study.variants, MEAN_POSE):
        return
    measured, predicted, *trained = judge.chain(name, seed, boxes)
    others = [*trained[1:], predicted, measured]
    for link in trained[:1]:
        if link.state == "stale":
            yield link.words
    for link in others:
        if link.state == "stale":
            yield f"{link.name}: {link.words}"
