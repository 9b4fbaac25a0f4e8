"""Compares pairs of rows as the paper does: its difference, ours, and whether ours agrees."""

from dataclasses import dataclass

from tips.tables.cells import Difference, number
from tips.tables.collect import Collected
from tips.tables.compared import Gain, gain_of, key
from tips.tables.row import Row
from tips.tables.runs import Group
from tips.tables.sheet import Sheet

SHOWS, OPPOSITE, MISSING = "shows", "opposite sign", "missing"
NOT_SEPARABLE = "not separable"
EFFECTS = {"above": SHOWS, "below": OPPOSITE, "": MISSING}


@dataclass(frozen=True)
class ClaimRow(Row):
    """One conclusion: row `row` of a table is better than row `than`."""

    table: str
    table_roman: str
    claim: str
    row: str
    than: str
    paper: str  # difference of the printed numbers
    ours: Difference
    low: Difference
    high: Difference
    verdict: str
    than_origin: str

    @property
    def gain(self) -> Gain:
        """Our difference with its interval."""
        return Gain(self.ours, self.low, self.high, self.verdict)

    @property
    def said(self) -> str:
        """The conclusion; it names the origin of the other network if that is not ours."""
        written_again = self.than_origin.startswith("re-implemented,")
        return f"{self.claim} ({self.than_origin})" if written_again else self.claim

    @property
    def pair(self) -> str:
        """Both rows as the paper prints their keys."""
        return f"{key(self.row)} - {key(self.than)}"


def _fill(found: Collected) -> list[ClaimRow]:
    made = []
    boxes = found.study.scale.evaluation.boxes
    for table in found.tables.tables:
        for claim in table.claims:
            pair = [table.row(claim.row), table.row(claim.than)]
            papers = [table.paper(row) for row in pair]
            one, other = (Group(str(row.variant), boxes) for row in pair)
            gain = gain_of(found.results, one, other, failed=False)
            made.append(
                ClaimRow(
                    table=table.name,
                    table_roman=table.roman,
                    claim=claim.says,
                    row=claim.row,
                    than=claim.than,
                    paper=_difference(*papers),
                    ours=gain.value,
                    low=gain.low,
                    high=gain.high,
                    verdict=EFFECTS.get(gain.verdict, gain.verdict),
                    than_origin=found.tables.origin(pair[1]),
                )
            )
    return made


def _difference(ours: str, other: str) -> str:
    """Subtracts two printed numbers, with one decimal; gives "" if one of them is missing."""
    first, second = number(ours), number(other)
    return "" if first is None or second is None else f"{first - second:+.1f}"


CLAIMS = Sheet("table-claims", "What the paper concludes", ClaimRow, _fill)
