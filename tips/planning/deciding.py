"""Tells what each conclusion could show, and what it costs to decide it: runs and minutes."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count, takewhile
from typing import NamedTuple

from tips.config import Study
from tips.evaluation.power import Needs, Plan, detectable, needs
from tips.paths import Paths
from tips.tables.claims import ClaimRow
from tips.tables.published import Tables

Seconds = Callable[[str, str], float | None]  # rule and variant -> mean time of a job, s
TRAINING = ("features", "train")  # rules that run once per seed, whatever the validation split is
SCORING = ("predict", "evaluate")  # rules whose time grows with the validation split
SHARED = ("features",)  # rules that run once for both rows; not every workflow has them


class Side(NamedTuple):
    """One of two rows that are compared: its variant, and the networks that it has."""

    variant: str
    networks: int
    grows: bool  # whether every further seed needs a network of its own


class Cost(NamedTuple):
    """What further runs cost, one job after the other."""

    minutes: float | None  # None if a time is unknown
    lacking: str  # what is unknown


class Power(NamedTuple):
    """What one conclusion could show, and what would decide it."""

    seeds: int
    smallest: float  # points; the smallest true difference that is shown with a power of 80 %
    needs: Needs
    alone: Cost | None  # of more seeds alone; None if no number of seeds is enough
    together: Cost  # of more seeds and sequences


def power(
    row: ClaimRow, sides: Sequence[Side], conclusions: int, seeds: int, seconds: Seconds
) -> Power | None:
    """Computes what a conclusion could show; gives None if its variance is unknown.

    Args:
        row: the conclusion.
        sides: both of its rows.
        conclusions: the number of conclusions that can be checked.
        seeds: asks for this number of seeds of both rows; 0 for those there are.
        seconds: tells how long a rule takes for a variant.
    """
    spread = row.spread
    if spread is None:
        return None
    spread = spread._replace(n_seeds=seeds or spread.n_seeds)
    found = needs(spread, row.margin, conclusions)
    alone = None
    if found.alone is not None:
        alone = cost(sides, Plan(found.alone, row.n_sequences), row.n_sequences, seconds)
    return Power(
        seeds=spread.n_seeds,
        smallest=detectable(spread.sd, conclusions),
        needs=found,
        alone=alone,
        together=cost(sides, found.together, row.n_sequences, seconds),
    )


def sides_of(row: ClaimRow, study: Study, tables: Tables, paths: Paths) -> list[Side]:
    """Finds both rows of a conclusion, and counts the networks that were measured."""
    table = tables.table(row.table)
    return [_side(str(table.row(key).variant), study, paths) for key in (row.row, row.than)]


def _side(variant: str, study: Study, paths: Paths) -> Side:
    boxes, known = study.scale.evaluation.boxes, study.variants.get(variant)
    files = (paths.metrics(variant, str(seed), boxes) for seed in count())
    measured = sum(1 for _ in takewhile(lambda file: file.is_file(), files))
    alike = known is None or (known.experiment.first_stage and study.scale.seeds.shared_backbone)
    return Side(variant, measured, not alike)


def cost(sides: Sequence[Side], plan: Plan, sequences: int, seconds: Seconds) -> Cost:
    """Adds up what a plan costs beyond the runs that exist.

    On more sequences all networks predict anew. What makes the sequences themselves is not counted.

    Args:
        sides: both rows.
        plan: seeds of both rows, and validation sequences.
        sequences: the present number of validation sequences.
        seconds: tells how long a rule takes for a variant.
    """
    total, shared, lacking = 0.0, 0.0, dict[str, None]()
    for side in sides:
        for rule, number in jobs(side, plan, sequences).items():
            time = seconds(rule, side.variant)
            if rule in SHARED:
                shared = max(shared, number * (time or 0.0))
            elif time is not None:
                total += number * time
            else:
                lacking[side.variant] = None
    if lacking:
        return Cost(None, f"no times of {', '.join(lacking)}")
    return Cost((total + shared) / 60, "")


def jobs(side: Side, plan: Plan, sequences: int) -> Mapping[str, float]:
    """Counts the further jobs of a row by rule; a job on twice the sequences counts as two.

    Args:
        side: the row.
        plan: seeds of the row, and validation sequences.
        sequences: the present number of validation sequences.
    """
    further = max(0, plan.seeds - side.networks) if side.grows else 0
    scored = float(further)
    if plan.sequences > sequences:
        scored = (side.networks + further) * plan.sequences / sequences
    counts = dict.fromkeys(TRAINING, float(further)) | dict.fromkeys(SCORING, scored)
    return {rule: number for rule, number in counts.items() if number}
