"""What a difference of two rows could show: with the seeds and sequences it has, or with more.

Everything is a normal approximation. The variance of a difference with n seeds on q sequences is

    b^2 * Q / q + s^2 / n

where b^2 is its bootstrap variance on the Q sequences of the study, taken as the same for every n
although more seeds make it smaller, and s^2 the variance between seeds that b^2 does not hold. A
test of one of k differences is taken at 5 % / k, the strictest that Holm's method can ask for. So
the numbers are on the safe side.
"""

import math
from typing import NamedTuple

from tips.evaluation.verdicts import LEVEL, NORMAL

POWER = 0.8  # chance that a test finds what is there


class Spread(NamedTuple):
    """The variance of a difference, and what it was computed from."""

    sequences_sd: float  # b, points
    seeds_sd: float  # s, points
    n_sequences: int  # Q
    n_seeds: int

    @property
    def sd(self) -> float:
        """The standard deviation of the difference, points."""
        return math.sqrt(self.sequences_sd**2 + self.seeds_sd**2 / self.n_seeds)


class Plan(NamedTuple):
    """Numbers of seeds of both rows and of validation sequences."""

    seeds: int
    sequences: int


class Needs(NamedTuple):
    """What decides between no difference and one of the margin."""

    alone: int | None  # seeds on the present sequences; None if no number of seeds is enough
    together: Plan  # seeds and sequences


def detectable(sd: float, conclusions: int) -> float:
    """Computes the smallest true difference that is shown with a power of 80 %, points.

    Args:
        sd: standard deviation of the measured difference, points.
        conclusions: the number of differences that are looked at together.
    """
    return _of_difference(conclusions) * sd


def largest_sd(margin: float, conclusions: int) -> float:
    """Computes the largest standard deviation that decides between no difference and the margin.

    With it a true difference of 0 is called equivalent within the margin, and one of the margin is
    shown, each with a power of 80 %.

    Args:
        margin: the smallest difference that matters, points.
        conclusions: the number of differences that are looked at together.
    """
    of_equivalence = NORMAL.inv_cdf(1 - LEVEL) + NORMAL.inv_cdf((1 + POWER) / 2)
    return margin / max(_of_difference(conclusions), of_equivalence)


def needs(spread: Spread, margin: float, conclusions: int) -> Needs:
    """Computes the seeds and sequences that decide between no difference and the margin.

    Of the plans that add sequences, the one is given whose seeds leave half of the variance to the
    sequences.

    Args:
        spread: the variance of the difference as it is; none of its numbers is unknown.
        margin: the smallest difference that matters, points.
        conclusions: the number of differences that are looked at together.
    """
    allowed = largest_sd(margin, conclusions) ** 2
    b2, s2 = spread.sequences_sd**2, spread.seeds_sd**2
    alone = None
    if b2 < allowed:
        alone = max(spread.n_seeds, _up(s2 / (allowed - b2)))
    seeds = max(spread.n_seeds, _up(2 * s2 / allowed))
    rest = allowed - s2 / seeds
    return Needs(alone, Plan(seeds, max(spread.n_sequences, _up(spread.n_sequences * b2 / rest))))


def _of_difference(conclusions: int) -> float:
    return NORMAL.inv_cdf(1 - LEVEL / (2 * conclusions)) + NORMAL.inv_cdf(POWER)


def _up(number: float) -> int:
    """Rounds up to a whole number, at least 1; what is whole but for rounding errors stays."""
    return max(1, math.ceil(number - 1e-9))
