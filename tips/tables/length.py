"""Shows how far from the end of their training second stages are: controls with twice the steps."""

from dataclasses import dataclass

from tips.config import BACKBONE, SCRATCH
from tips.tables import markdown
from tips.tables.cells import Level, known, plain
from tips.tables.collect import Collected
from tips.tables.compared import Gain, Line, extended, group_of, lines, linked, table_sheet
from tips.tables.published import Table
from tips.tables.sheet import Page, Section
from tips.tables.subsets import subset_means

NAME = "length"
STILL = 0.5  # points; a control that moves by less when its steps are doubled is near the end


@dataclass(frozen=True)
class LengthLine(Line):
    """A control, and its AP on clean and on degraded frames."""

    clean: Level
    degraded: Level


def _fill(table: Table, found: Collected) -> list[LengthLine]:
    made = []
    for row, line in zip(table.rows, lines(table, found), strict=True):
        group = group_of(row, found.study)
        assert group is not None, "a control of ours is no quoted row"
        parts = subset_means(found, group)
        made.append(extended(LengthLine, line, clean=parts["clean"], degraded=parts["degraded"]))
    return made


def _section(page: Page) -> Section:
    rows = page.of(LENGTH)
    header = ("control", "steps", "ours ± sd (seeds)", "clean", "degraded", "compared with", "gain")
    cells = [
        [
            row.label,
            _steps(page, row),
            linked(row, page.tables.table(NAME)),
            plain(row.clean),
            plain(row.degraded),
            markdown.code(row.baseline),
            row.gain.full,
        ]
        for row in rows
    ]
    body = (
        "A study of networks that are still learning ranks how fast they learn. Two controls, "
        "which hold nothing of the method, say how far from the end its second stages are: with "
        "one frame a head from scratch shall reach the backbone that it reads, and twice the "
        f"steps shall move a control by less than {STILL} points. The recipe was chosen by them "
        "alone.\n\n" + markdown.table(header, cells, "lrlrrll") + "\n"
    )
    return Section("How far from the end", body + markdown.bullets([*reached(page), *moved(page)]))


def _steps(page: Page, row: Line) -> str:
    """Names the length of a row's training relative to that of the other rows."""
    if row.variant not in page.study.variants:
        return "-"
    own = page.study.variants[row.variant].experiment.training.epochs
    usual = page.study.variants.get(SCRATCH)
    if row.variant == BACKBONE or usual is None:
        return "stage one"
    return f"{own / usual.experiment.training.epochs:g}x"


def reached(page: Page) -> list[str]:
    """Says whether each control at the usual length reaches the backbone."""
    return [
        f"{markdown.text(row.label)}: {row.gain.text} against the backbone: {_reaches(row.gain)}."
        for row in page.of(LENGTH)
        if row.baseline == BACKBONE and known(row.gain_ours)
    ]


def moved(page: Page) -> list[str]:
    """Says by how much each control moves if its steps are doubled."""
    said = []
    for row in page.of(LENGTH):
        if row.baseline not in ("", BACKBONE) and known(row.gain_ours):
            less = "less" if abs(row.gain_ours) < STILL else "**not less**"
            said.append(
                f"{markdown.text(row.label)}: {row.gain.text} against half the steps, {less} than "
                f"{STILL} points."
            )
    return said


def _reaches(gain: Gain) -> str:
    if gain.verdict == "below":
        return "**below** it, so that second stages are undertrained"
    if gain.verdict == "unknown":
        return "whether it reaches it is unknown"
    return "it reaches it"


LENGTH = table_sheet(NAME, LengthLine, _fill, _section)
