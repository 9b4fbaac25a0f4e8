"""One table as text, and its two forms: CSV and LaTeX."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tips.paths import Paths
from tips.records import atomic

TEX = {
    "&": r"\&",
    "%": r"\%",
    "_": r"\_",
    "#": r"\#",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "±": r"$\pm$",
    "✓": r"\checkmark",
}


class Sheet(NamedTuple):
    """One table as text: file stem, caption, header, cells, and what a reader sees of them."""

    stem: str
    title: str
    header: tuple[str, ...]
    cells: tuple[tuple[str, ...], ...]
    shown_header: tuple[str, ...] = ()  # of the LaTeX form; the CSV's own when empty
    shown_cells: tuple[tuple[str, ...], ...] = ()


def write(sheet: Sheet, paths: Paths, folder: str = "tables") -> None:
    """Writes {folder}/{stem}.csv and .tex."""
    stem = paths.results / folder / sheet.stem
    with atomic(stem.with_suffix(".csv")) as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows([sheet.header, *sheet.cells])
    with atomic(stem.with_suffix(".tex")) as stream:
        stream.write(latex(sheet))


def latex(sheet: Sheet) -> str:
    """The table as a LaTeX tabular, columns that are empty in every row left out."""
    header, cells = sheet.header, sheet.cells
    if sheet.shown_header:
        header, cells = sheet.shown_header, sheet.shown_cells
    keep = [index for index in range(len(header)) if any(row[index] for row in cells) or not cells]
    body = [_tex_row([row[index] for index in keep]) for row in cells]
    return "\n".join(
        [
            f"% {sheet.title}",
            rf"\begin{{tabular}}{{{'l' * len(keep)}}}",
            r"\hline",
            _tex_row([header[index] for index in keep]),
            r"\hline",
            *body,
            r"\hline",
            r"\end{tabular}",
            "",
        ]
    )


def _tex_row(cells: Sequence[str]) -> str:
    escaped = ("".join(TEX.get(letter, letter) for letter in cell) for cell in cells)
    return " & ".join(escaped) + r" \\"


def read_cell(file: Path, row: str, column: str) -> str | None:
    """One cell of a table's CSV as it stands there; None where there is no such file or row."""
    if not file.is_file():
        return None
    with file.open(encoding="utf-8", newline="") as stream:
        found = next((one for one in csv.DictReader(stream) if one.get("row") == row), None)
    return None if found is None else found.get(column)
