"""Makes Tables VIII-XI as printed, with our rows on that dataset beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from tips import skeleton
from tips.records import RecordError
from tips.tables import markdown
from tips.tables.cells import (
    Absent,
    Quoted,
    Spread,
    Value,
    absent,
    digits,
    mean,
    plain,
    value_of,
)
from tips.tables.collect import Collected
from tips.tables.compared import Line, caption, extended, group_of, lines
from tips.tables.published import Row as Printed
from tips.tables.published import Table, check_totals
from tips.tables.sheet import Page, Section, Sheet, Shown

PARTS = tuple(skeleton.COLUMNS)


@dataclass(frozen=True)
class QuotedLine(Line):
    """A row of Tables VIII-XI: all its printed cells, and our seven columns."""

    last: ClassVar = ("parts", *Line.last)

    printed: Quoted
    parts: Annotated[dict[str, Value], Spread("ours_", PARTS, digits(2))]


def _fill(table: Table, found: Collected) -> list[QuotedLine]:
    made = []
    for row, line in zip(table.rows, lines(table, found), strict=True):
        printed = dict(zip(table.columns[1:], row.printed[1:], strict=True))
        parts = _parts(row, found)
        made.append(extended(QuotedLine, line, printed=printed, parts=parts))
    return made


def _parts(row: Printed, found: Collected) -> dict[str, Value]:
    """Gives our seven columns as means over seeds; empty if the row is only quoted."""
    group = group_of(row, found.study)
    if group is None:
        return dict.fromkeys(PARTS, Absent.NONE)
    seeds = [one.columns for one in found.metrics(group)]
    if not seeds:
        return dict.fromkeys(PARTS, absent(found.results.status(group)))
    return {part: value_of(mean([seed[part] for seed in seeds])) for part in PARTS}


def _sheet(name: str) -> Sheet[QuotedLine]:
    def printed(found: Collected, _: Sequence[QuotedLine]) -> Shown:
        table = found.tables.table(name)
        return Shown(table.columns, [row.printed for row in table.rows])

    return Sheet(
        f"table-{name}",
        caption(name),
        QuotedLine,
        lambda found: _fill(found.tables.table(name), found),
        shown=printed,
        section=_section if name == FIRST else None,
    )


def _section(page: Page) -> Section:
    """Writes all four tables, and the check of their totals."""
    shown = [(page.tables.table(name), sheet) for name, sheet in STATE_OF_THE_ART.items()]
    checks = [check for table, _ in shown for check in check_totals(table)]
    failing = [check for check in checks if not check.holds]
    ours = any(row.variant for table, _ in shown for row in table.rows)
    body = (
        "As printed; rows marked *here* are ours, on the same dataset.\n\n"
        if ours
        else "As printed; nothing of ours stands beside these rows, because this scale names none "
        "of their datasets (`dataset.release`).\n\n"
    )
    body += (
        "PoseTrack's total is the mean of 15 joints, so Total = (3 Head + 2 (the six others)) / "
        f"15. Of {len(checks)} complete rows of Tables VIII-X {len(checks) - len(failing)} agree "
        "within rounding (0.1)"
    )
    if failing:
        listed = "; ".join(
            f"{check.row} (Table {page.tables.table(check.table).roman}): printed {check.printed}, "
            f"computed {check.computed:.2f}"
            for check in failing
        )
        body += f", these do not: {listed}"
    body += ". Table XI has other joints.\n"
    for table, sheet in shown:
        found = page.of(sheet)
        if len(found) != len(table.rows):
            raise RecordError(sheet.incomplete(page.paths, f"{len(found)} rows"))
        rows = markdown.table(table.columns, _with_ours(table, found), "l" + "r")
        if table.notes:
            rows += "\n" + markdown.bullets(table.notes)
        body += "\n" + markdown.folded(f"Table {table.roman}: {table.dataset}", rows)
    return Section("Tables VIII-XI", body)


def _with_ours(table: Table, rows: Sequence[QuotedLine]) -> list[Sequence[str]]:
    """Lists the printed rows; below each comes our own if a variant fills it."""
    cells: list[Sequence[str]] = []
    for printed, row in zip(table.rows, rows, strict=True):
        cells.append(printed.printed)
        if printed.variant:
            own = {part: plain(row.parts[part]) for part in PARTS}
            whose = "" if row.origin == "ours" else f", {row.origin}"
            own |= {
                table.columns[0]: markdown.Markdown(f"*here: {printed.variant}{whose}*"),
                str(table.value): row.shown,
            }
            cells.append([own.get(column, "") for column in table.columns])
    return cells


FIRST = "8"  # its section shows all four tables
STATE_OF_THE_ART = {name: _sheet(name) for name in (FIRST, "9", "10", "11")}
