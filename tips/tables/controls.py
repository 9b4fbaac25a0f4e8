"""Makes Table C, our controls, and a table of the variants that no other table names."""

from collections.abc import Sequence
from dataclasses import dataclass

from tips.config import BACKBONE, COPY, MEAN_POSE, Study
from tips.tables import markdown
from tips.tables.cells import Absent, Difference, Value, known
from tips.tables.collect import Collected
from tips.tables.compared import (
    Gain,
    Line,
    comparison,
    extended,
    gain_of,
    group_of,
    lines,
    table_sheet,
)
from tips.tables.published import Row as Printed
from tips.tables.published import Table, Tables
from tips.tables.runs import Group
from tips.tables.sheet import Page, Section, Sheet

NAME = "C"


def your_variants(tables: Tables, study: Study) -> Table:
    """Makes a table of every variant of the study that the project's own tables do not need.

    A table needs the variants that it names, and the stages one of these.
    """
    named = tables.named & study.variants.keys()
    seconds = [name for name in named if not study.variants[name].experiment.first_stage]
    used = named | {study.stage_one(name) for name in seconds}
    return Table(
        name="variants",
        roman="",
        title=YOURS,
        dataset=None,
        columns=(),
        value=None,
        baseline=BACKBONE,
        notes=(),
        claims=(),
        rows=tuple(
            Printed(
                row=name, label=" ".join(variant.experiment.title.split()), variant=name, printed=()
            )
            for name, variant in study.variants.items()
            if name not in used
        ),
    )


YOURS = "Your variants"


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
    body = "What the paper does not print and its tables need.\n\n"
    controls, table = page.of(CONTROLS), page.tables.table(NAME)
    body += _own(controls, table) + "\n" + markdown.bullets(table.notes)
    body += f"\n### {YOURS}\n\n"
    yours = page.of(VARIANTS)
    if yours:
        body += _own(yours, your_variants(page.tables, page.study))
    else:
        body += (
            "None. A YAML file added to `experiments/ablation/` appears here, in the DAG and in "
            "MLflow without any other edit.\n"
        )
    return Section("Controls and your variants", body)


def _own(rows: Sequence[Line], table: Table) -> str:
    """Writes rows that the paper does not have, without the paper's columns."""
    header, cells, align = comparison(rows, table)
    kept = [index for index, head in enumerate(header) if "paper" not in head]
    return markdown.table(
        [header[index] for index in kept],
        [[cell[index] for index in kept] for cell in cells],
        "".join(align[index] for index in kept),
    )


CONTROLS = table_sheet(NAME, ControlLine, _fill, _section)
VARIANTS = Sheet(
    "table-variants",
    YOURS,
    Line,
    lambda found: lines(your_variants(found.tables, found.study), found),
    shown=lambda found, rows: comparison(rows, your_variants(found.tables, found.study)),
    compares=True,
)
