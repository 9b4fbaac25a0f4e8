from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from tips.evaluation.verdicts import LEVEL, equivalent, holm, p_value, verdict

SHARES = st.lists(st.floats(0, 1), max_size=7)
DIFFERENCES = st.floats(-5, 5)
SDS = st.floats(0.01, 3)
MARGINS = st.floats(0.05, 2)


def closed(p_values: list[float]) -> list[float]:
    """Holm as the closure of Bonferroni: the worst of every set of tests that one belongs to."""
    n = len(p_values)
    sets = [chosen for size in range(1, n + 1) for chosen in combinations(range(n), size)]
    return [
        max(min(1.0, len(one) * min(p_values[k] for k in one)) for one in sets if place in one)
        for place in range(n)
    ]


@given(SHARES)
def test_holm_is_the_closure_of_bonferroni(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(closed(p_values))


@given(DIFFERENCES, SDS)
def test_p_value_is_that_of_a_two_sided_normal_test(difference: float, sd: float) -> None:
    expected = 2 * stats.norm.sf(abs(difference) / sd)
    assert p_value(difference, sd) == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_a_difference_that_cannot_vary_is_certain() -> None:
    assert p_value(0.1, 0) == 0
    assert p_value(0.0, 0) == 1
    assert equivalent(0.1, 0, 0.2)
    assert not equivalent(0.2, 0, 0.2)


@given(DIFFERENCES, SDS, MARGINS)
def test_equivalent_is_two_one_sided_tests(difference: float, sd: float, margin: float) -> None:
    above = stats.norm.sf((difference + margin) / sd)  # of a true difference of -margin
    below = stats.norm.cdf((difference - margin) / sd)
    assert equivalent(difference, sd, margin) == (max(above, below) < LEVEL)


@given(DIFFERENCES, SDS, MARGINS)
def test_equivalent_means_that_the_90_percent_interval_lies_within(
    difference: float, sd: float, margin: float
) -> None:
    low, high = stats.norm.interval(0.9, difference, sd)
    assert equivalent(difference, sd, margin) == (-margin < low and high < margin)


SWAPPED = {"shown": "opposite", "opposite": "shown"}


@given(DIFFERENCES, SDS, MARGINS, st.floats(0, 1))
def test_swapped_rows_swap_the_sign_alone(
    difference: float, sd: float, margin: float, p: float
) -> None:
    more, swapped = (verdict(one, sd, margin, p) for one in (difference, -difference))
    if difference:
        assert swapped == SWAPPED.get(more, more)
    same = {verdict(one, sd, margin, p, "equal") for one in (difference, -difference)}
    assert len(same) == 1


@pytest.mark.parametrize(
    ("difference", "sd", "expects", "word"),
    [
        (1.0, 0.2, "more", "shown"),
        (-1.0, 0.2, "more", "opposite"),
        (0.2, 0.05, "more", "shown"),  # significant, however small
        (0.0, 0.2, "more", "equivalent"),
        (0.4, 0.3, "more", "undecided"),
        (1.0, 0.2, "equal", "opposite"),
        (-1.0, 0.2, "equal", "opposite"),
        (0.2, 0.05, "equal", "equivalent"),  # significant, and surely within the margin
        (0.0, 0.2, "equal", "equivalent"),
        (0.0, 0.4, "equal", "undecided"),
    ],
)
def test_verdicts_within_half_a_point(
    difference: float, sd: float, expects: str, word: str
) -> None:
    assert verdict(difference, sd, 0.5, p_value(difference, sd), expects) == word  # type: ignore[arg-type]


def test_of_many_lists_without_any_difference_five_in_a_hundred_show_one() -> None:
    draws = np.random.default_rng(0).normal(size=(4000, 12))
    shown = [min(holm([p_value(one, 1.0) for one in row])) < LEVEL for row in draws]
    assert np.mean(shown) == pytest.approx(LEVEL, abs=0.012)
