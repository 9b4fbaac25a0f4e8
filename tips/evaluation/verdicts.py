"""Decides what a measured difference shows: a sign, no difference that matters, or neither.

A difference is normally distributed around the true one. Its two-sided p-value is adjusted by Holm
for the number of differences that are looked at together. Whether it is equivalent to none is told
by two one-sided tests (TOST): its 90 % interval lies within the margin.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, Literal

Expects = Literal["more", "equal"]  # what is said of one row beside another
Verdict = Literal["shown", "opposite", "equivalent", "undecided"]

NORMAL: Final = NormalDist()
LEVEL = 0.05  # of Holm's family of tests, and of each of the two one-sided tests


def p_value(difference: float, sd: float) -> float:
    """Computes how likely at least this difference, of either sign, is if there is none.

    Args:
        difference: the measured difference.
        sd: its standard deviation, in the same unit; 0 if it cannot vary.
    """
    if sd == 0:
        return float(difference == 0)
    return math.erfc(abs(difference) / sd / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusts p-values for their number by Holm's method, in the same order.

    The smallest is multiplied by their number, the next by one less, and so on; none becomes
    smaller than the one before it, or larger than 1. In one of twenty such lists, at most, one
    under 5 % is there by chance.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = largest
    return adjusted


def equivalent(difference: float, sd: float, margin: float) -> bool:
    """Tells whether the true difference surely lies within +- the margin (TOST at 5 % each side).

    Args:
        difference: the measured difference.
        sd: its standard deviation, in the same unit.
        margin: the smallest difference that matters, in the same unit.
    """
    return abs(difference) + NORMAL.inv_cdf(1 - LEVEL) * sd < margin


def verdict(
    difference: float, sd: float, margin: float, p_adjusted: float, expects: Expects = "more"
) -> Verdict:
    """Decides on one conclusion from its difference.

    Where more is expected, a significant difference is decided by its sign, however small it is.
    Where none is expected, one that surely lies within the margin is equivalent even if it is
    significant; a significant one that does not is the opposite of what is expected.

    Args:
        difference: the measured difference, in points.
        sd: its standard deviation, points.
        margin: the smallest difference that matters, points.
        p_adjusted: its p-value, adjusted for the number of conclusions.
        expects: "more" if a positive difference is expected, "equal" if none is.
    """
    significant = p_adjusted < LEVEL
    alike = equivalent(difference, sd, margin)
    if significant and expects == "more":
        return "shown" if difference > 0 else "opposite"
    if alike:
        return "equivalent"
    return "opposite" if significant else "undecided"
