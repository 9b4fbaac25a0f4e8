"""Finds the verdicts that differ between two studies, and whether number or rule changed them."""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Final, Literal, NamedTuple

from tips.evaluation.verdicts import Verdict, verdict
from tips.tables.claims import MISSING
from tips.tables.study_numbers import Conclusion, Numbers

Z: Final = NormalDist().inv_cdf(0.975)
Cause = Literal["number", "rule", "number and rule", "a missing run", "only in one study"]


class Flip(NamedTuple):
    """A conclusion on which two studies do not say the same."""

    name: str
    claim: str
    first: Conclusion | None
    second: Conclusion | None
    cause: Cause

    @property
    def said(self) -> tuple[str, str]:
        """Both verdicts; "" where the study has no such conclusion."""
        one, other = (side.verdict if side else "" for side in (self.first, self.second))
        return one, other


def flips(first: Numbers, second: Numbers) -> list[Flip]:
    """Lists the conclusions with another verdict in the second study, in the first one's order.

    The *number* caused it if the first study's rule (margin, expectation) gives the second's
    verdict, from the second's numbers; the *rule* did if the second's rule gives the second's
    verdict from the first's numbers; both did if neither alone does.

    Args:
        first: the numbers of one study.
        second: the numbers of the other.
    """
    sides = [{one.name: one for one in numbers.conclusions} for numbers in (first, second)]
    found = []
    for name in {**sides[0], **sides[1]}:
        one, other = sides[0].get(name), sides[1].get(name)
        if one is None or other is None or one.verdict != other.verdict:
            told = one or other
            assert told is not None
            found.append(Flip(name, told.claim, one, other, _cause(one, other)))
    return found


def _cause(one: Conclusion | None, other: Conclusion | None) -> Cause:
    if one is None or other is None:
        return "only in one study"
    if MISSING in (one.verdict, other.verdict):
        return "a missing run"
    if (one.margin, one.expects) == (other.margin, other.expects):
        return "number"
    if _judged(other, one) == other.verdict:
        return "number"
    return "rule" if _judged(one, other) == other.verdict else "number and rule"


def _judged(numbers: Conclusion, rule: Conclusion) -> Verdict | None:
    """Judges the numbers of one conclusion by the rule of another; None if they are unknown."""
    if numbers.gain is None or numbers.low is None or numbers.high is None:
        return None
    if numbers.p_adjusted is None or rule.expects not in ("more", "equal"):
        return None
    sd = (numbers.high - numbers.low) / (2 * Z)
    expects: Literal["more", "equal"] = "more" if rule.expects == "more" else "equal"
    return verdict(numbers.gain, sd, rule.margin, numbers.p_adjusted, expects)


def by_cause(found: Sequence[Flip]) -> str:
    """Counts the flips by their cause, in words."""
    causes = sorted({one.cause for one in found})
    return ", ".join(f"{sum(one.cause == cause for one in found)} by {cause}" for cause in causes)
