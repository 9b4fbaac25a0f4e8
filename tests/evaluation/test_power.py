import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from tips.evaluation.power import POWER, Plan, Spread, detectable, largest_sd, needs
from tips.evaluation.verdicts import LEVEL

SPREADS = st.builds(
    Spread, st.floats(0.01, 1), st.floats(0.01, 1), st.integers(40, 200), st.integers(1, 5)
)
MARGINS = st.floats(0.1, 1)
COUNTS = st.integers(1, 40)


def power_to_show(difference: float, sd: float, conclusions: int) -> float:
    """Chance that a two-sided test at 5 % / conclusions finds the sign of a true difference."""
    return float(stats.norm.sf(stats.norm.isf(LEVEL / conclusions / 2) - difference / sd))


def power_to_equate(margin: float, sd: float) -> float:
    """Chance that the 90 % interval of no difference lies within the margin."""
    return max(0.0, float(2 * stats.norm.cdf(margin / sd - stats.norm.isf(LEVEL)) - 1))


def decides(spread: Spread, plan: Plan, margin: float, conclusions: int) -> bool:
    variance = spread.sequences_sd**2 * spread.n_sequences / plan.sequences
    sd = math.sqrt(variance + spread.seeds_sd**2 / plan.seeds)
    chances = (power_to_show(margin, sd, conclusions), power_to_equate(margin, sd))
    return min(chances) >= POWER - 1e-7


@given(st.floats(0.01, 2), COUNTS)
def test_the_detectable_difference_is_found_with_the_power(sd: float, conclusions: int) -> None:
    found = power_to_show(detectable(sd, conclusions), sd, conclusions)
    assert found == pytest.approx(POWER, abs=1e-9)


@given(MARGINS, COUNTS)
def test_the_largest_deviation_just_decides(margin: float, conclusions: int) -> None:
    sd = largest_sd(margin, conclusions)
    chances = (power_to_show(margin, sd, conclusions), power_to_equate(margin, sd))
    assert min(chances) == pytest.approx(POWER, abs=1e-9)


@given(SPREADS, MARGINS, COUNTS)
def test_both_plans_decide(spread: Spread, margin: float, conclusions: int) -> None:
    alone, together = needs(spread, margin, conclusions)
    assert decides(spread, together, margin, conclusions)
    assert together.seeds >= spread.n_seeds
    assert together.sequences >= spread.n_sequences
    if alone is not None:
        assert decides(spread, Plan(alone, spread.n_sequences), margin, conclusions)


@given(SPREADS, MARGINS, COUNTS)
def test_no_fewer_seeds_would_do(spread: Spread, margin: float, conclusions: int) -> None:
    alone, together = needs(spread, margin, conclusions)
    if alone is None:
        many = Plan(10**9, spread.n_sequences)
        assert not decides(spread, many, margin, conclusions)
    elif alone > spread.n_seeds:
        fewer = Plan(alone - 1, spread.n_sequences)
        assert not decides(spread, fewer, margin, conclusions)
    assume(together.sequences > spread.n_sequences)
    fewer = together._replace(sequences=together.sequences - 1)
    assert not decides(spread, fewer, margin, conclusions)


def test_a_study_that_decides_needs_nothing_more() -> None:
    assert needs(Spread(0.05, 0.05, 100, 3), 0.5, 30) == (3, Plan(3, 100))


def test_without_variance_between_sequences_seeds_are_enough() -> None:
    margin = 1 / largest_sd(1, 1)  # so that the largest deviation is 1
    assert needs(Spread(0.0, 3.0, 50, 1), margin, 1) == (9, Plan(18, 50))


def test_where_sequences_alone_vary_too_much_they_must_be_more() -> None:
    margin = 1 / largest_sd(1, 1)
    assert needs(Spread(2.0, 1.0, 50, 1), margin, 1) == (None, Plan(2, 400))
