"""Makes Table V and Fig. 4: the number of part groups, and its effect on every part."""

from collections.abc import Sequence
from dataclasses import dataclass

from tips import skeleton
from tips.evaluation.metrics import Metrics
from tips.tables import markdown, sources
from tips.tables.ablations import heading, noted
from tips.tables.cells import Absent, Level, absent, known, mean, plain, value_of
from tips.tables.collect import Collected
from tips.tables.compared import Line, comparison, extended, lines, table_sheet
from tips.tables.published import Table
from tips.tables.row import Row
from tips.tables.runs import Group, Status
from tips.tables.sheet import Page, Section, Sheet

NAME = "5"
MEAN = "Mean"
Scores = Sequence[float | None]


@dataclass(frozen=True)
class GroupsLine(Line):
    """A row of Table V."""

    groups: int
    joints: str  # the joints of every group
    ARI: Level  # adjusted Rand index of these groups and the data-driven ones


@dataclass(frozen=True)
class PartRow(Row):
    """One part at one number of groups, mean over seeds, percent."""

    groups: int
    part: str  # "Mean" is the mean of the seven parts
    oks: Level
    ap: Level
    n: int  # number of seeds
    status: Status


def _fill(table: Table, found: Collected) -> list[GroupsLine]:
    made = []
    for row, line in zip(table.rows, lines(table, found), strict=True):
        count = int(row.printed[0])
        grouping = sources.read_if_present(sources.Grouping, found.paths.groups(str(count)))
        joints = " | ".join(
            f"{name}: {' '.join(skeleton.JOINTS[j] for j in ids)}"
            for name, ids in skeleton.GROUPS[count].items()
        )
        ari = value_of(None if grouping is None else grouping.ari)
        made.append(extended(GroupsLine, line, groups=count, joints=joints, ARI=ari))
    return made


def _parts(found: Collected) -> list[PartRow]:
    made = []
    for row in found.tables.table(NAME).rows:
        group = Group(str(row.variant), found.study.scale.evaluation.boxes)
        status = found.results.status(group)
        seeds = [one for one in found.metrics(group) if one.oks is not None]
        word = Absent.NONE if seeds else absent(status)  # runs on JHMDB have no OKS
        for part in (*skeleton.COLUMNS, MEAN):
            oks, ap = (value_of(mean(values), word) for values in _of_part(seeds, part))
            made.append(PartRow(int(row.printed[0]), part, oks, ap, len(seeds), status))
    return made


def _of_part(seeds: Sequence[Metrics], part: str) -> tuple[Scores, Scores]:
    """Gives OKS and AP of one part in every seed."""
    if part == MEAN:
        oks = [one.oks.mean if one.oks else None for one in seeds]
        return oks, [mean(list(one.columns.values())) for one in seeds]
    oks = [one.oks.parts[part].score if one.oks else None for one in seeds]
    return oks, [one.columns[part] for one in seeds]


def _section(page: Page) -> Section:
    table, rows = page.tables.table(NAME), page.of(GROUPS)
    body = heading(table) + markdown.table(*comparison(rows, table))
    parts = [
        [str(row.groups), row.joints, plain(row.ARI) if known(row.ARI) else "-"] for row in rows
    ]
    listed = markdown.table(("N", "groups", "ARI of the data-driven groups"), parts, "llr")
    body += "\n" + markdown.folded("The groups, resolved to 15 joints", listed)
    body += "\n### Fig. 4\n\n" + page.pictures[FIGURE_4.stem] + numbers(page)
    return Section("Table V and Fig. 4: part groups", body + noted(table))


def numbers(page: Page) -> str:
    """Writes Fig. 4's numbers as a table: OKS / AP per part and N."""
    counts = list(dict.fromkeys(row.groups for row in page.of(FIGURE_4)))
    cells = [
        [part, *(_both(page.row(FIGURE_4, groups=count, part=part)) for count in counts)]
        for part in (*skeleton.COLUMNS, MEAN)
    ]
    return markdown.table(("OKS / AP", *(f"N = {n}" for n in counts)), cells, "lr")


def _both(row: PartRow) -> str:
    return f"{plain(row.oks)} / {plain(row.ap)}" if row.n else plain(row.oks)


GROUPS = table_sheet(NAME, GroupsLine, _fill, _section)
FIGURE_4 = Sheet(
    "figure-4",
    "Fig. 4: OKS and AP over the number of groups",
    PartRow,
    _parts,
    folder="figures",
)
