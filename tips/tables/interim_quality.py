"""Makes our Table I: the full model on interim frames of every quality, beside their PSNR."""

from dataclasses import dataclass

from tips.paths import Paths
from tips.tables import markdown, sources
from tips.tables.cells import Absent, Level, Value, plain, value_of
from tips.tables.collect import Collected
from tips.tables.compared import extended, lines, linked, table_sheet
from tips.tables.methods import OverLine, full_over
from tips.tables.published import Table
from tips.tables.sheet import Page

NAME = "I"
TRUE = "true"  # the generator that gives true in-between frames


@dataclass(frozen=True)
class WorthLine(OverLine):
    """A row of Table I."""

    generator: str  # the generator of the row's experiment; "" for none
    psnr: Level  # dB, of the generator's frames of the validation split


def _fill(table: Table, found: Collected) -> list[WorthLine]:
    made = []
    for row, line in zip(table.rows, lines(table, found), strict=True):
        variant = found.study.variants.get(line.variant)
        generator = (variant.experiment.interim_frames or "") if variant else ""
        psnr = _psnr(generator, found.paths)
        more = full_over(row, found)
        made.append(extended(WorthLine, line, generator=generator, psnr=psnr, **more))
    return made


def _psnr(generator: str, paths: Paths) -> Value:
    """Gives the PSNR; absent if there are no frames, or no true ones to compare them with."""
    if not generator:
        return Absent.NONE
    found = sources.read_if_present(sources.Psnr, paths.interim(generator) / "psnr.json")
    if found is None or found.val is None:
        return Absent.MISSING
    return value_of(found.val.mean)


def part(page: Page) -> str:
    """Writes the table under its heading, for the section on interim frames."""
    table, rows = page.tables.table(NAME), page.of(INTERIM_WORTH)
    header = (
        *("interim frame", "generator", "PSNR, dB", "paper", "ours ± sd (seeds)"),
        *(f"over {table.baseline}, paper", f"over {table.baseline}, ours"),
        *("over concat-wide", "TIPS over it"),
    )
    cells = [
        [
            row.label,
            row.generator or "-",
            _shown(row),
            row.paper,
            linked(row, table),
            row.printed_gain,
            row.read_gain,
            row.wide.full,
            row.tips.full,
        ]
        for row in rows
    ]
    return (
        f"### {table.title}\n\n"
        "The full model, trained and measured anew for every kind of interim frame, beside the "
        "backbone, the full model without interim frames and the one on all branches of its "
        "backbone. What it gains from the true frames is what a perfect interpolator would add "
        "here; rendered true frames have no blur, noise or darkness either, so part of that is "
        "restoration. TIPS is the full model with its own.\n\n"
        + markdown.table(header, cells, "llrrrrlll")
        + "\n"
        + markdown.bullets(table.notes)
    )


def _shown(row: WorthLine) -> str:
    if row.psnr is Absent.NONE:
        return "truth" if row.generator == TRUE else "-"
    return plain(row.psnr)


INTERIM_WORTH = table_sheet(NAME, WorthLine, _fill, section=None)
