"""The paired difference of two sets of predictions on the same truth, with intervals.

There are no seeds: each side is one set of predictions. So an interval holds the choice of
sequences, and nothing of what another training of the same network would give.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tips import skeleton
from tips.evaluation.average_precision import average_precision, columns, resampled, total
from tips.evaluation.intervals import (
    ENOUGH_SEQUENCES,
    RESAMPLES,
    Interval,
    Row,
    interval,
    resamples,
)
from tips.evaluation.matching import Evidence
from tips.evaluation.people import Ints
from tips.records import without_nan

HOLDS = (
    "95 % intervals hold the choice of sequences and no variance between seeds: each side is one "
    "set of predictions"
)


KEYS = ("other", "difference", "low", "high")


class Difference(NamedTuple):
    """One score of both sides in percent, and its interval in points."""

    name: str  # a column, or Total
    ours: float
    other: float
    interval: Interval

    @property
    def values(self) -> dict[str, float]:
        """The other side's score, the difference and its ends, which are NaN where unknown."""
        one = self.interval
        values = (self.other, one.difference, one.low, one.high)
        return dict(zip(KEYS, values, strict=True))


def differences(ours: Evidence, other: Evidence, count: int = RESAMPLES) -> list[Difference]:
    """Compares two sets of predictions, column by column, and in all.

    Args:
        ours: evidence of one side.
        other: evidence of the other, on the same sequences.
        count: number of resamples.
    """
    weights = resamples(ours.strata, count)
    left, right = _rows(ours, weights), _rows(other, weights)
    return [
        Difference(
            name,
            float(one.points[0]),
            float(right[name].points[0]),
            interval(one, right[name], seed_variance=0.0),
        )
        for name, one in left.items()
    ]


def as_json(found: Sequence[Difference]) -> dict[str, Any]:
    """What json keeps: scores and differences by column, and what the intervals hold."""
    return without_nan(
        {
            "scores": {one.name: one.values for one in found},
            "sequences": found[0].interval.n_sequences,
            "intervals": HOLDS,
        }
    )


def caption(found: Sequence[Difference]) -> str:
    """Says what the intervals hold, or why there are none."""
    count = found[0].interval.n_sequences
    if count < ENOUGH_SEQUENCES:
        return (
            f"no intervals: {count} sequence{'s' * (count != 1)}, and they need {ENOUGH_SEQUENCES}"
        )
    return f"{HOLDS}; {count} sequences"


def _rows(evidence: Evidence, weights: Ints) -> dict[str, Row]:
    """Scores the seven columns and the total, on all sequences and on the resamples."""
    ap, drawn = average_precision(evidence).ap, resampled(evidence, weights)
    points = columns(ap) | {"Total": float(total(ap))}
    joints = {name: [skeleton.INDEX[one] for one in of] for name, of in skeleton.COLUMNS.items()}
    joints["Total"] = [*range(skeleton.COUNT)]
    return {
        name: Row(
            (0,),
            np.array([point]),
            total(drawn[:, joints[name]])[None],
            evidence.names,
            shared=True,
        )
        for name, point in points.items()
    }
