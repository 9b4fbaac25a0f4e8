"""Makes Table C: our controls."""

from dataclasses import dataclass

from tips.config import COPY, MEAN_POSE
from tips.tables import markdown
from tips.tables.cells import Absent, Difference, Value, known
from tips.tables.collect import Collected
from tips.tables.compared import (
    Gain,
    Line,
    extended,
    gain_of,
    group_of,
    lines,
    table_sheet,
    unprinted,
)
from tips.tables.published import Table
from tips.tables.runs import Group
from tips.tables.sheet import Page, Section

NAME = "C"


@dataclass(frozen=True)
class ControlLine(Line):
    """A row of Table C."""

    over_mean_pose: Difference  # without an interval
    over_copy: Difference  # over the untrained control that copies heat maps
    low_copy: Difference
    high_copy: Difference
    verdict_copy: str

    @property
    def copy(self) -> Gain:
        """The gain over the untrained control that copies heat maps, on the same boxes."""
        return Gain(self.over_copy, self.low_copy, self.high_copy, self.verdict_copy)


def _fill(table: Table, found: Collected) -> list[ControlLine]:
    rows = lines(table, found)
    boxes = [getattr(group_of(row, found.study), "boxes", "") for row in table.rows]
    pairs = list(zip(rows, boxes, strict=True))
    mean = next((pair for pair in pairs if pair[0].variant == MEAN_POSE), None)
    made = []
    for pair in pairs:
        copy = _over_copy(pair[0].variant, pair[1], found)
        made.append(
            extended(
                ControlLine,
                pair[0],
                over_mean_pose=_over(pair, mean),
                over_copy=copy.value,
                low_copy=copy.low,
                high_copy=copy.high,
                verdict_copy=copy.verdict,
            )
        )
    return made


def _over_copy(variant: str, boxes: str, found: Collected) -> Gain:
    """Computes a row's gain over the control that copies; there is none over itself."""
    own = variant and variant not in (COPY, MEAN_POSE) and COPY in found.study.variants
    group = Group(variant, boxes) if own else None
    return gain_of(found.results, group, Group(COPY, boxes) if own else None)


def _over(own: tuple[Line, str], mean: tuple[Line, str] | None) -> Value:
    """Gives the difference of a row to the mean pose on the same boxes."""
    if mean is None or own == mean or own[1] != mean[1]:
        return Absent.NONE
    ours, other = own[0].ours, mean[0].ours
    if not known(ours):
        return ours
    return ours - other if known(other) else other


def _section(page: Page) -> Section:
    rows = page.of(CONTROLS)
    body = "What the paper does not print and its tables need.\n\n"
    body += (
        unprinted(rows, page.tables.table(NAME))
        + "\n"
        + markdown.bullets(page.tables.table(NAME).notes)
    )
    return Section("Controls", body)


CONTROLS = table_sheet(NAME, ControlLine, _fill, _section)
