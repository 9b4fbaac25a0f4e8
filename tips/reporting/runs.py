"""Which runs a study has, and in what state each of them is."""

from pathlib import Path
from typing import Literal, NamedTuple

from tips.chain import Judge
from tips.config import Study
from tips.paths import Paths
from tips.reporting import sources
from tips.reporting.published import Tables

Status = Literal["done", "partial", "failed", "missing", "stale", "published"]

NOT_IN_SCALE = "not part of this scale"


class Group(NamedTuple):
    """All seeds of one variant on one source of boxes."""

    variant: str
    boxes: str

    def __str__(self) -> str:
        """The name on pages."""
        return self.variant if self.boxes == "gt" else f"{self.variant} ({self.boxes} boxes)"


class RunFile(NamedTuple):
    """One run's folder and predictions."""

    group: Group
    seed: int
    folder: Path
    predictions: Path
    state: Literal["present", "failed", "missing", "stale"]
    reason: str  # of a failure, or what changed since a stale run was made


def wanted(study: Study, tables: Tables) -> dict[Group, int]:
    """Every group that the study should have, with its number of seeds, in a stable order.

    Args:
        study: the scale with its variants.
        tables: adds predictors without a network, which have no experiment file.
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
    """Looks every wanted run up.

    Args:
        groups: from `wanted`.
        paths: of the study.
        judge: says which trainings are of other code or configuration than the present ones; None:
            no run is called stale.
    """
    return [
        _find(group, seed, paths, judge) for group, seeds in groups.items() for seed in range(seeds)
    ]


def _find(group: Group, seed: int, paths: Paths, judge: Judge | None) -> RunFile:
    folder = paths.run(group.variant, str(seed))
    predictions = paths.predictions(group.variant, str(seed), group.boxes)
    if not predictions.is_file():
        failure = sources.read_if_present(sources.Failure, folder / "failed.json")
        if failure is not None:
            return RunFile(group, seed, folder, predictions, "failed", failure.reason)
        return RunFile(group, seed, folder, predictions, "missing", "")
    if judge is not None and group.variant in judge.study.variants:
        own, *others = judge.trainings(group.variant, seed)
        why = [own.words] if own.state == "stale" else []
        why += [f"{link.name}: {link.words}" for link in others if link.state == "stale"]
        if why:
            return RunFile(group, seed, folder, predictions, "stale", "; ".join(why))
    return RunFile(group, seed, folder, predictions, "present", "")
