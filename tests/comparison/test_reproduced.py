"""How two rows compare: by closed forms."""

import math
from typing import Any

import pytest
from few_numbers import numbers

from tips.comparison import reproduced
from tips.comparison.reproduced import compare


def row(name: str, *, total: float = 40.0, sha: str = "a", **gains: Any) -> dict[str, Any]:
    return {
        "variant": name,
        "boxes": "gt",
        "seeds": {"0": total},
        "predictions": {"0": sha},
        "gains": {over: gain(*numbers) for over, numbers in gains.items()},
    }


def gain(value: float, half: float | None = None) -> dict[str, Any]:
    ends = (None, None) if half is None else (value - half, value + half)
    return {"gain": value, "low": ends[0], "high": ends[1], "verdict": "above"}


@pytest.mark.parametrize(
    ("here", "there", "state"),
    [
        (row("x"), row("x"), "identical"),
        # Other predictions, but every printed number is the same.
        (row("x", hrnet=(1.0, 0.3)), row("x", sha="b", hrnet=(1.0, 0.4)), "same digits"),
        # 0.3 and 0.4 make 0.5; what is rounded to 0.01 may differ by one more of them.
        (row("x", hrnet=(1.5, 0.3)), row("x", total=41, sha="b", hrnet=(1.0, 0.4)), "within"),
        (row("x", hrnet=(1.52, 0.3)), row("x", total=41, sha="b", hrnet=(1.0, 0.4)), "outside"),
        (row("x", hrnet=(9.0,)), row("x", total=41, sha="b", hrnet=(1.0, 0.4)), "not judged"),
        (row("x"), row("x", total=41, sha="b"), "not judged"),  # levels are never judged
        # The same predictions that score otherwise were measured by other rules or labels.
        (row("x", hrnet=(2.0, 0.1)), row("x", total=41, hrnet=(1.0, 0.1)), "outside"),
        # One gain outside is enough.
        (
            row("x", hrnet=(1.0, 0.1), concat=(1.0, 0.1)),
            row("x", sha="b", total=41, hrnet=(1.0, 0.1), concat=(2.0, 0.1)),
            "outside",
        ),
    ],
)
def test_a_row_is_what_predictions_digits_and_gains_say(
    here: dict[str, Any], there: dict[str, Any], state: str
) -> None:
    (found,) = compare(numbers(here), numbers(there))
    assert found.state == state
    (back,) = compare(numbers(there), numbers(here))
    assert back.state == state


def test_rows_of_one_study_only_are_missing_or_extra() -> None:
    unmeasured = row("x") | {"seeds": {}, "predictions": {}}
    found = compare(numbers(row("a"), unmeasured), numbers(row("b"), row("x")))
    assert {one.name: one.state for one in found} == {
        "a": "extra",
        "b": "missing",
        "x": "missing",
    }
    assert reproduced.level(found) is None
    assert reproduced.counts(found) == {"missing": 2, "extra": 1}


def test_levels_are_the_mean_of_the_rows_differences() -> None:
    here = numbers(row("a", total=40.5), row("b", total=41.0))
    there = numbers(row("a", total=40.0), row("b", total=40.0), row("c"))
    assert reproduced.level(compare(here, there)) == pytest.approx(0.75)


def test_the_joint_interval_is_that_of_two_independent_differences() -> None:
    assert reproduced.joint(3.0, 4.0) == pytest.approx(5.0)
    assert reproduced.joint(2.0, 0.0) == 2.0
    assert reproduced.joint(1.0, 1.0) == pytest.approx(math.sqrt(2))
    assert reproduced.joint(None, 1.0) is None
