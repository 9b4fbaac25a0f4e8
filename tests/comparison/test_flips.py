"""Which verdicts differ, and whether the number or the rule changed them."""

from typing import Any

import few_numbers
import pytest

from tips.comparison.flips import flips
from tips.tables.study_numbers import Numbers

# (gain, half of its interval): far above zero, far below, near zero with a narrow interval.
ABOVE, BELOW, NONE, WIDE = (2.0, 0.5), (-2.0, 0.5), (0.0, 0.2), (0.3, 1.5)


def conclusion(
    numbers: tuple[float, float], verdict: str, margin: float = 0.5, expects: str = "more"
) -> dict[str, Any]:
    gain, half = numbers
    return {
        "claim": "a beats b",
        "table": "II",
        "rows": ["e", "b"],
        "part": None,
        "expects": expects,
        "margin": margin,
        "p_adjusted": 0.0 if abs(gain) > half else 1.0,
        "gain": gain,
        "low": gain - half,
        "high": gain + half,
        "verdict": verdict,
    }


def study(*conclusions: dict[str, Any]) -> Numbers:
    return few_numbers.numbers(conclusions=conclusions)


@pytest.mark.parametrize(
    ("first", "second", "cause"),
    [
        (conclusion(ABOVE, "shown"), conclusion(BELOW, "opposite"), "number"),
        (conclusion(ABOVE, "shown"), conclusion(NONE, "equivalent"), "number"),
        # The numbers are the same: nothing but a wider margin makes them an equivalence.
        (conclusion(WIDE, "undecided"), conclusion(WIDE, "equivalent", margin=2.0), "rule"),
        (
            conclusion(ABOVE, "shown"),
            conclusion(ABOVE, "opposite", expects="equal"),
            "rule",
        ),
        # The rule changed, too, but by the old rule the new number says the same.
        (conclusion(ABOVE, "shown"), conclusion(BELOW, "opposite", margin=0.6), "number"),
        # Neither alone: the old number is no equivalence in +-1.6, the new one none in +-0.5.
        (
            conclusion(ABOVE, "shown", expects="more"),
            conclusion(WIDE, "equivalent", margin=1.6, expects="equal"),
            "number and rule",
        ),
    ],
)
def test_the_cause_is_what_alone_gives_the_other_verdict(
    first: dict[str, Any], second: dict[str, Any], cause: str
) -> None:
    (found,) = flips(study(first), study(second))
    assert found.cause == cause
    assert found.said == (first["verdict"], second["verdict"])
    assert flips(study(first), study(first)) == []


def test_a_conclusion_of_one_study_only_is_named_as_such() -> None:
    one = conclusion(ABOVE, "shown")
    (found,) = flips(study(one), study())
    assert (found.cause, found.said, found.name) == ("only in one study", ("shown", ""), "II:e-b")
