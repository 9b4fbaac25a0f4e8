"""Makes our Table S: the error of synthesized poses at the true in-between joints."""

from collections.abc import Iterator
from dataclasses import dataclass

from tips.config import Study
from tips.evaluation.synthesis import SOURCES, SynthesisRow, synthesis_table
from tips.records import RecordError
from tips.tables import markdown
from tips.tables.cells import Level, Share, absent, plain, rounded, value_of
from tips.tables.collect import Collected
from tips.tables.row import Row
from tips.tables.runs import Group, Status
from tips.tables.sheet import Page, Section, Sheet

TABLES = ("2", "7")  # the tables whose variants are shown
ALL = "all"
QUARTILES = (ALL, "1", "2", "3", "4")


@dataclass(frozen=True)
class ErrorRow(Row):
    """The error of one source of poses at one time, on all joints or a quartile of their speed."""

    rows: str  # the rows of the paper's tables that have this variant
    label: str
    variant: str
    time: str  # s = beta / 2; "" if nothing was measured
    source: str
    quartile: str  # "all", or 1 (slowest) to 4
    n: int  # number of joints
    error: Share  # mean, px of a 96-high map
    pckh: Level  # percent of joints within half a head size
    status: Status


def _fill(found: Collected) -> list[ErrorRow]:
    made: list[ErrorRow] = []
    seen: set[str] = set()
    for name in TABLES:
        table = found.tables.table(name)
        for row in table.rows:
            if row.variant is None or row.variant in seen:
                continue
            if _synthesizes(row.variant, found.study):
                seen.add(row.variant)
                label = row.label + _untrained(row.variant, found.study)
                made += _rows(f"{table.roman} {row.row}", label, row.variant, found)
    return made


def _rows(where: str, label: str, variant: str, found: Collected) -> Iterator[ErrorRow]:
    group = Group(variant, found.study.scale.evaluation.boxes)
    status = found.results.status(group)
    by_time = found.between(group)
    if not by_time:
        word = absent(status)
        shown: Status = "failed" if status == "failed" else "missing"
        yield ErrorRow(where, label, variant, "", "", "", 0, word, word, shown)
    for time, samples in by_time.items():
        for one in synthesis_table(samples):
            yield _row(where, label, variant, time, one, status)


def _row(
    where: str, label: str, variant: str, time: float, one: SynthesisRow, status: Status
) -> ErrorRow:
    return ErrorRow(
        where,
        label,
        variant,
        f"{time:g}",
        one.source,
        str(one.quartile) if one.quartile else ALL,
        one.n,
        value_of(one.error),
        value_of(one.pckh),
        status,
    )


def _untrained(variant: str, study: Study) -> str:
    """Remarks that no loss reaches the head that reads the synthesized poses, if this is so."""
    weights = study.variants[variant].experiment.weights
    return "" if "trajectory" in weights else " (no loss trains this reading)"


def _synthesizes(variant: str, study: Study) -> bool:
    return variant in study.variants and bool(study.variants[variant].experiment.points)


INTRODUCTION = (
    "How far the synthesized pose is from where the joints really were between the frames: "
    "mean error in px of a map 96 high / PCKh in percent. Beside it, from the same frames: what "
    "C_real reads directly from the rough interim frame (at s = 0.5, where there is one), and the "
    "point at the same time s on the straight line between the two poses that C_real reads from "
    "the frames, and on that between the two true poses. C_real reads the frozen single-frame "
    "features, so its poses are not TIPS's output. If the synthesizer knew more than linear "
    "motion and more than the rough frame shows, it would come below both; the paper's central "
    "claim asks for that, and no table of the paper measures it. To lie there is necessary, not "
    "sufficient: less noise does it too. No interval is computed.\n\n"
)


def _section(page: Page) -> Section:
    by_row: dict[tuple[str, ...], dict[tuple[str, str], ErrorRow]] = {}
    for row in page.of(SYNTHESIS):
        by_row.setdefault((row.rows, row.label, row.time), {})[row.source, row.quartile] = row
    main, quarters = [], []
    for (where, label, time), cells in by_row.items():
        if ("", "") in cells:
            main.append([where, label, "", cells["", ""].status])
            continue
        lost = {(one, q) for one in SOURCES for q in QUARTILES} - cells.keys()
        if lost:
            raise RecordError(SYNTHESIS.incomplete(page.paths, f"no row {lost.pop()} of {where}"))
        everything = [cells[source, ALL] for source in SOURCES]
        both = [f"{rounded(one.error, 3)} / {plain(one.pckh)}" for one in everything]
        main.append([where, label, time, *both, str(everything[0].n)])
        quarters += [
            [where, time, q, *(rounded(cells[source, q].error, 3) for source in SOURCES)]
            for q in QUARTILES[1:]
        ]
    title = "Table S: the synthesized poses"
    if not main:
        return Section(title, INTRODUCTION + "No row here synthesizes.\n")
    width = max(len(row) for row in main)
    header = ("rows", "setting", "s", *SOURCES, "joints")
    padded = [[*row, *[""] * (width - len(row))] for row in main]
    body = INTRODUCTION + markdown.table(header[:width], padded, "lllrrrrr")
    if quarters:
        head = ("rows", "s", "speed quartile", *SOURCES)
        slow = markdown.table(head, quarters, "lllrrrr")
        body += "\n" + markdown.folded("By quartile of true speed, 4 the fastest (px)", slow)
    else:
        body += "\nThis dataset has no true in-between poses, or no run was found.\n"
    return Section(title, body)


SYNTHESIS = Sheet(
    "table-S",
    "Table S: error of synthesized poses at the true in-between joints",
    ErrorRow,
    _fill,
    section=_section,
)
