"""Makes rows beside printed ones: our number, its gain over a baseline, and the interval."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple, TypeVar

from tips.config import BACKBONE, CAPACITY_CONTROL, Study
from tips.evaluation.intervals import Interval
from tips.tables import markdown
from tips.tables.cells import (
    Absent,
    Count,
    Difference,
    Level,
    PrintedGain,
    Value,
    absent,
    known,
    number,
    plain,
    signed,
    value_of,
)
from tips.tables.collect import Collected
from tips.tables.markdown import Linked
from tips.tables.published import Row as Printed
from tips.tables.published import Table
from tips.tables.results import Results
from tips.tables.row import Row
from tips.tables.runs import NOT_IN_SCALE, Group, Status
from tips.tables.sheet import Page, Section, Sheet, Shown

NOT_SEPARABLE = "not separable"  # the interval holds zero
UNKNOWN = "unknown"  # there is no interval, for want of seeds or sequences
READINGS = {
    ("above", True): "same sign",
    ("below", True): "opposite sign",
    ("above", False): "opposite sign",
    ("below", False): "same sign",
}
COMPARED = (
    "",
    "setting",
    "paper",
    "ours ± sd (seeds)",
    "gain, paper",
    "gain, ours",
    "over concat-wide",
)
COMPARED_ALIGN = "llrrrll"
_ASKED = re.compile(r"[A-Za-z0-9 .()+-]+")  # means nothing to a shell between quotes
ORIGIN = "network"  # the column that tells whose network a row shows


class Gain(NamedTuple):
    """A difference with its interval, and the verdict that follows from the interval."""

    value: Value
    low: Value
    high: Value
    verdict: str  # above, below, not separable, unknown; "" if there is no difference

    @property
    def text(self) -> str:
        """The gain as pages print it, or the word that stands for it if there is none."""
        if not known(self.value):
            return str(self.value)
        if not known(self.low):
            return f"{signed(self.value)} [interval unknown]"
        return f"{signed(self.value)} [{signed(self.low)}, {signed(self.high)}]"

    @property
    def full(self) -> str:
        """The same with its verdict."""
        return self.read(self.verdict)

    def read(self, word: str) -> str:
        """The same with a word on what the interval says; an unknown one says nothing more."""
        return self.text if word == UNKNOWN else f"{self.text} {word}".strip()


MISSED = Gain(Absent.MISSING, Absent.MISSING, Absent.MISSING, "")


@dataclass(frozen=True)
class Line(Row):
    """One row of a table of tables.yaml."""

    last: ClassVar[tuple[str, ...]] = ("origin",)

    row: str
    label: str
    variant: str  # "" if the row is only quoted
    paper: str  # as printed
    ours: Level
    sd: Level
    n_seeds: Count
    status: Status
    scale: str
    baseline: str
    gain_paper: PrintedGain
    gain_ours: Difference
    low: Difference
    high: Difference
    gain_wide: Difference
    low_wide: Difference
    high_wide: Difference
    verdict: str
    verdict_wide: str
    note: str
    origin: str

    @property
    def gain(self) -> Gain:
        """The gain over the row's baseline."""
        return Gain(self.gain_ours, self.low, self.high, self.verdict)

    @property
    def wide(self) -> Gain:
        """The gain over the capacity control, for variants that see several frames."""
        return Gain(self.gain_wide, self.low_wide, self.high_wide, self.verdict_wide)

    @property
    def measured(self) -> bool:
        """Whether the row has a number of ours."""
        return known(self.ours)

    @property
    def shown(self) -> str:
        """Our number with its deviation and seeds, and its status unless that is `done`."""
        if self.status == "published":
            return "published only"
        score = shown_score(self.ours, self.sd, self.n_seeds, self.status)
        return f"{score}: {self.note}" if self.note else score

    @property
    def reading(self) -> str:
        """What the interval says about the paper's gain, or about the sign if none is printed."""
        if self.verdict not in ("above", "below") or self.gain_paper is None:
            return self.verdict
        return READINGS[self.verdict, self.gain_paper > 0]

    @property
    def read_gain(self) -> str:
        """The gain, with what its interval says about the paper's."""
        return self.gain.read(self.reading)

    @property
    def key(self) -> str:
        """The row's key as the paper prints it."""
        return key(self.row)

    @property
    def printed_gain(self) -> str:
        """The paper's own gain; "" if it prints none."""
        return self.cells()["gain_paper"]


L = TypeVar("L", bound=Line)


def key(name: str) -> str:
    """Writes a row's key as the paper prints it: single letters are in brackets."""
    return f"({name})" if len(name) == 1 and name.isalpha() else name


def shown_score(value: Value, sd: Value, seeds: int | None, status: Status) -> str:
    """Writes a number with its deviation and seeds, and its status unless that is `done`.

    Args:
        value: the mean over seeds.
        sd: the standard deviation between seeds.
        seeds: the number of seeds.
        status: the status of the row.
    """
    if not known(value):
        return str(value)
    spread = f" ± {plain(sd)}" if known(sd) else ""
    return f"{plain(value)}{spread} ({seeds}){'' if status == 'done' else f' {status}'}"


def verdict(gain: Interval) -> str:
    """Tells what an interval means: "above", "below", "not separable", or "unknown"."""
    if not gain.known:
        return UNKNOWN
    if not gain.separable:
        return NOT_SEPARABLE
    return "above" if gain.difference > 0 else "below"


def gain_of(
    results: Results, group: Group | None, baseline: Group | None, failed: bool = True
) -> Gain:
    """Computes the gain of one group over another; gives a word if a run for it is missing.

    Args:
        results: the results of the study.
        group: the group whose gain is computed; with None no gain is due.
        baseline: the group that it is compared with; with None no gain is due.
        failed: whether failed runs get another word than missing ones.
    """
    if group is None or baseline is None:
        return Gain(Absent.NONE, Absent.NONE, Absent.NONE, "")
    gain = results.gain(group, baseline)
    if gain is not None:
        return gain_from(gain)
    states = results.status(group), results.status(baseline)
    if failed and "failed" in states:
        return Gain(Absent.FAILED, Absent.FAILED, Absent.FAILED, "")
    return MISSED


def gain_from(interval: Interval) -> Gain:
    """Makes the gain of a measured difference."""
    difference, low, high = (
        value_of(one, Absent.UNKNOWN) for one in (interval.difference, interval.low, interval.high)
    )
    return Gain(difference, low, high, verdict(interval))


def lines(table: Table, found: Collected) -> list[Line]:
    """Fills one table of tables.yaml."""
    return [_line(table, row, found) for row in table.rows]


def extended(kind: type[L], line: Line, **more: Any) -> L:
    """Makes a line of a kind with more columns, which only one table has."""
    return kind(**{field.name: getattr(line, field.name) for field in fields(line)}, **more)


def _line(table: Table, row: Printed, found: Collected) -> Line:
    study, results = found.study, found.results
    group = group_of(row, study)
    seeded = results.groups.get(group) if group else None
    baseline = table.baseline_of(row) if row.variant else None
    gain = gain_of(results, group, Group(baseline, group.boxes) if group and baseline else None)
    usual = group is not None and group.boxes == study.scale.evaluation.boxes
    wide = None
    if group is not None and usual and _temporal(group.variant, study):
        wide = Group(CAPACITY_CONTROL, group.boxes)
    over_wide = gain_of(results, group if wide else None, wide)
    status: Status = results.status(group) if group else "published"
    word = Absent.NONE if status == "published" else absent(status, Absent.UNKNOWN)
    return Line(
        row=row.row,
        label=row.label,
        variant=group.variant if group else "",
        paper=table.paper(row),
        ours=value_of(seeded.mean if seeded else None, word),
        sd=value_of(seeded.sd if seeded else None),
        n_seeds=None if group is None else seeded.n if seeded else 0,
        status=status,
        scale=study.scale.name,
        baseline=baseline or "",
        gain_paper=number(table.paper_gain(row)),
        gain_ours=gain.value,
        low=gain.low,
        high=gain.high,
        gain_wide=over_wide.value,
        low_wide=over_wide.low,
        high_wide=over_wide.high,
        verdict=gain.verdict,
        verdict_wide=over_wide.verdict,
        note=_note(group, results),
        origin=found.tables.origin(row),
    )


def group_of(row: Printed, study: Study) -> Group | None:
    """Finds the runs that belong beside a printed row; gives None if the row is only quoted."""
    if row.variant is None:
        return None
    usual = study.scale.evaluation.boxes
    return Group(row.variant, usual if row.boxes == "gt" else row.boxes)


def _temporal(variant: str, study: Study) -> bool:
    """Tells whether a variant sees more than one frame and is not the capacity control itself."""
    if variant == CAPACITY_CONTROL or variant not in study.variants:
        return False
    return len(study.variants[variant].experiment.window) > 1


def _note(group: Group | None, results: Results) -> str:
    """Says what a reader must know about the cell beside its status."""
    if group is None:
        return ""
    if group not in results.groups:
        return NOT_IN_SCALE
    seeded = results.groups[group]
    some = f"{seeded.n} of {len(seeded.files)} seeds" if 0 < seeded.n < len(seeded.files) else ""
    reasons = dict.fromkeys(file.reason for file in seeded.files if file.reason)
    return "; ".join(part for part in (some, *reasons) if part)


def linked(row: Line, table: Table) -> str:
    """Gives our number of a row as pages print it; on the page it leads to the chain behind it.

    Args:
        row: the row.
        table: the table that it belongs to.
    """
    if not row.variant or row.note == NOT_IN_SCALE:
        return row.shown
    asked = f"{table.roman} {row.key}" if table.roman else ""
    boxes = next((one.boxes for one in table.rows if one.row == row.row), "gt")
    place = chain_place(row.variant, None if boxes == "gt" else boxes)
    about = asked if _ASKED.fullmatch(asked) else ""
    return Linked(row.shown, place, about, rest=f": {row.note}" if row.note else "")


def chain_place(variant: str, boxes: str | None) -> str:
    """Names the place of the page with the chain behind a variant's numbers.

    Args:
        variant: the variant.
        boxes: the source of its validation boxes; None for the usual one.
    """
    return f"why-{variant}-{boxes}" if boxes else f"why-{variant}"


def comparison(rows: Sequence[Line], table: Table) -> Shown:
    """Writes rows under the heads COMPARED; origins are a column unless all networks are ours."""
    cells = [compared(row, table) for row in rows]
    if all(row.origin == "ours" or row.variant == BACKBONE for row in rows):
        return Shown(COMPARED, cells, COMPARED_ALIGN)
    named = [[*cell[:2], row.origin, *cell[2:]] for cell, row in zip(cells, rows, strict=True)]
    header = (*COMPARED[:2], ORIGIN, *COMPARED[2:])
    return Shown(header, named, f"l{COMPARED_ALIGN}")


def unprinted(rows: Sequence[Line], table: Table) -> str:
    """Writes rows that the paper does not have as Markdown, without the paper's columns."""
    header, cells, align = comparison(rows, table)
    kept = [index for index, head in enumerate(header) if "paper" not in head]
    return markdown.table(
        [header[index] for index in kept],
        [[cell[index] for index in kept] for cell in cells],
        "".join(align[index] for index in kept),
    )


def compared(row: Line, table: Table) -> list[str]:
    """Writes one row under the heads COMPARED."""
    return [
        row.key,
        row.label,
        row.paper,
        linked(row, table),
        row.printed_gain,
        row.read_gain,
        row.wide.full,
    ]


def caption(name: str) -> Callable[[Collected], str]:
    """Gives a function that writes the caption of a table of tables.yaml."""

    def of(found: Collected) -> str:
        table = found.tables.table(name)
        return f"Table {table.roman}: {table.title}" if table.roman else table.title

    return of


def table_sheet(
    name: str,
    kind: type[L],
    fill: Callable[[Table, Collected], Sequence[L]],
    section: Callable[[Page], Section] | None,
) -> Sheet[L]:
    """Makes the sheet of a table of tables.yaml whose rows are compared.

    Args:
        name: the name of the table in tables.yaml.
        kind: the type of its rows.
        fill: makes the rows from the printed table and the measured study.
        section: writes its part of the report; None if another table's section shows it.
    """
    return Sheet(
        f"table-{name}",
        caption(name),
        kind,
        lambda found: fill(found.tables.table(name), found),
        shown=lambda found, rows: comparison(rows, found.tables.table(name)),
        section=section,
        compares=True,
    )
