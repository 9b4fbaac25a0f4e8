"""Table I, ours: the full model on interim frames of every quality, beside their PSNR."""

from collections.abc import Sequence

from tips.config import Study
from tips.paths import Paths
from tips.reporting import markdown, sources, view
from tips.reporting.methods import FULL_OVER, full_over, shown_over
from tips.reporting.published import Table
from tips.reporting.results import Results
from tips.reporting.rows import Line, plain
from tips.reporting.view import Row

NAME = "I"
COLUMNS = ("generator", "psnr", *FULL_OVER)
TRUE = "true"  # the generator that is the truth itself


def extra(
    lines: Sequence[Line], study: Study, paths: Paths, results: Results
) -> list[tuple[str, ...]]:
    """The cells of COLUMNS for every line; `generator` is what its experiment asks for."""
    cells = []
    for line in lines:
        variant = line.group.variant if line.group else ""
        generator = ""
        if variant in study.variants:
            generator = study.variants[variant].experiment.interim_frames or ""
        cells.append((generator, _psnr(generator, paths), *full_over(line, results)))
    return cells


def _psnr(generator: str, paths: Paths) -> str:
    """Of the validation split, dB; "" where there are no frames or none to compare with."""
    if not generator:
        return ""
    found = sources.read_if_present(sources.Psnr, paths.interim(generator) / "psnr.json")
    if found is None or found.val is None:
        return "missing"
    return "" if found.val.mean is None else plain(found.val.mean)


def part(table: Table, rows: Sequence[Row]) -> str:
    """The table under its heading, inside the section on interim frames."""
    header = (
        *("interim frame", "generator", "PSNR, dB", "paper", "ours ± sd (seeds)"),
        *(f"over {table.baseline}, paper", f"over {table.baseline}, ours"),
        *("over concat-wide", "TIPS over it"),
    )
    cells = [
        [
            row["label"],
            row["generator"] or "-",
            row["psnr"] or ("truth" if row["generator"] == TRUE else "-"),
            row["paper"],
            view.ours(row),
            row["gain_paper"],
            f"{view.gain(row, 'gain_ours', 'low', 'high')} {view.reading(row)}".strip(),
            view.wide(row),
            shown_over(row),
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
