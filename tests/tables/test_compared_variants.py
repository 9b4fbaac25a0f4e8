"""A user's own variant beside other rows: the verdict, and whether it was expected."""

from statistics import NormalDist

import pytest
import typed

from tips.config import load_study
from tips.evaluation.power import detectable
from tips.evaluation.verdicts import LEVEL, holm, p_value
from tips.tables.own_variants import (
    BESIDE,
    HEADER,
    OwnRow,
    expectation,
    how_compared,
    judged,
)

SD, MARGIN = 0.1, 0.5
SIGNIFICANT = NormalDist().inv_cdf(1 - LEVEL / 2) * SD
EQUAL_WITHIN = MARGIN - NormalDist().inv_cdf(1 - LEVEL) * SD
STEP = 1e-6
CELLS = {"margin": "0.5", "n_sequences": "130", "n_seeds": "3", "than": "tips", "variant": "mine"}
TESTED = {"p_adjusted": "0.2000", "sequences_sd": "0.1500", "seeds_sd": "0.3000"}


def word(difference: float, expects: str | None = None, tests: int = 1) -> str:
    """The verdict where `tests` comparisons are alike, so that Holm multiplies by their number."""
    p = holm([p_value(difference, SD)] * tests)[0]
    return judged(difference, SD, MARGIN, p, expects)


@pytest.mark.parametrize("expects", [None, "above", "below"])
def test_a_significant_difference_is_called_by_its_sign(expects: str | None) -> None:
    assert word(SIGNIFICANT + STEP, expects) == "above"
    assert word(-SIGNIFICANT - STEP, expects) == "below"
    assert word(SIGNIFICANT - STEP, expects) == "equal"
    assert word(5.0, expects) == "above"


def test_where_equal_is_expected_a_small_significant_difference_is_equal() -> None:
    assert word(EQUAL_WITHIN - STEP, "equal") == "equal"
    assert word(EQUAL_WITHIN + STEP, "equal") == "above"
    assert word(-EQUAL_WITHIN - STEP, "equal") == "below"


def test_what_is_neither_is_undecided() -> None:
    assert judged(0.4, 0.3, MARGIN, p_value(0.4, 0.3), None) == "undecided"
    assert judged(0.4, 0.3, MARGIN, p_value(0.4, 0.3), "equal") == "undecided"


def test_more_comparisons_ask_for_a_larger_difference() -> None:
    assert word(SIGNIFICANT + STEP, tests=2) == "equal"
    assert word(-SIGNIFICANT - STEP, tests=1) == "below"


@pytest.mark.parametrize(
    ("expects", "verdict", "says"),
    [
        ("above", "above", "met"),
        ("above", "equal", "not met"),
        ("below", "above", "not met"),
        ("equal", "equal", "met"),
        *((word, open_, open_) for word in ("above", "equal", "below") for open_ in ("undecided",)),
        *(("above", open_, open_) for open_ in ("unknown", "missing")),
        *((None, verdict, "") for verdict in ("above", "undecided", "missing")),
    ],
)
def test_an_expectation_is_met_not_met_or_open(
    expects: str | None, verdict: str, says: str
) -> None:
    assert expectation(expects, verdict) == says


def section(*rows: OwnRow) -> str:
    assert BESIDE.section is not None
    study = load_study("smoke", typed.EXPERIMENTS)
    return BESIDE.section(typed.page(study, {BESIDE: rows})).body


def test_without_own_variants_the_page_says_how_to_make_one() -> None:
    assert "tips new NAME" in section()


def test_a_variant_is_described_once_and_compared_with_every_row() -> None:
    own = CELLS | TESTED | {"label": "My idea", "parent": "tips", "changes": "width: 16 -> 24"}
    own |= {"ours": "+1.00", "low": "+0.50", "high": "+1.50", "verdict": "above"}
    own |= {"expects": "above", "expected": "met", "parameters": "1234567", "seconds": "12.5"}
    rows = [typed.row(OwnRow, **own), typed.row(OwnRow, **(own | {"than": "groups-8"}))]
    page = section(*rows)
    assert page.count("| My idea |") == page.count("1,234,567") == 1
    assert page.count("| +1.00 [+0.50, +1.50] | ±0.5 |") == 2
    assert page.count("above: met") == 2
    assert "2 comparisons" in page
    alone = section(typed.row(OwnRow, variant="mine", label="My idea", n_sequences="6", margin="0"))
    assert "My idea" in alone
    assert HEADER[1] not in alone


def test_only_what_can_be_tested_is_counted() -> None:
    unknown = typed.row(OwnRow, **(CELLS | dict.fromkeys(TESTED, "unknown")))
    tested = typed.row(OwnRow, **(CELLS | TESTED))
    assert "the 1 comparison of" in how_compared([unknown, tested])
    assert unknown.spread is None
    assert tested.spread is not None
    assert detectable(tested.spread.sd, 2) > detectable(tested.spread.sd, 1)
