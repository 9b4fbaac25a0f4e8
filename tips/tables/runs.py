"""Lists the runs that a study should have, and the state of each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from tips.chain import Judge
from tips.config import Study
from tips.paths import Paths
from tips.tables import sources
from tips.tables.published import Tables

Needed = Literal["metrics", "predictions"]
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


def find(
    groups: dict[Group, int], paths: Paths, judge: Judge | None, needed: Needed = "metrics"
) -> list[RunFile]:
    """Finds every run that the study should have, and its state.

    Args:
        groups: the groups and their numbers of seeds, from `wanted`.
        paths: the paths of the study.
        judge: tells which trainings used other code or another configuration than the present one;
            None calls no run stale.
        needed: the file that a run needs beside its predictions; without it the run is missing.
    """
    return [
        _find(group, seed, paths, judge, needed)
        for group, seeds in groups.items()
        for seed in range(seeds)
    ]


def _find(group: Group, seed: int, paths: Paths, judge: Judge | None, needed: Needed) -> RunFile:
    run = group.variant, str(seed), group.boxes
    file = RunFile(
        group,
        seed,
        paths.run(group.variant, str(seed)),
        paths.predictions(*run),
        paths.metrics(*run),
        paths.evidence(*run),
        state="present",
        reason="",
    )
    if not all(getattr(file, name).is_file() for name in ("predictions", needed)):
        failure = sources.read_if_present(sources.Failure, file.folder / "failed.json")
        if failure is not None:
            return file._replace(state="failed", reason=failure.reason)
        return file._replace(state="missing")
    why = [] if judge is None else list(_stale(judge, group, seed))
    return file._replace(state="stale", reason="; ".join(why)) if why else file


def _stale(judge: Judge, group: Group, seed: int) -> Iterator[str]:
    """Tells why a run is not current: the reasons of its own training first, then the others."""
    if group.variant not in judge.study.variants:
        return
    own, *others = judge.trainings(group.variant, seed)
    if own.state == "stale":
        yield own.words
    for link in others:
        if link.state == "stale":
            yield f"{link.name}: {link.words}"
