"""One table of the report as an object: what fills it, its files, and what a page shows of it."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from tips.config import Study
from tips.paths import Paths
from tips.records import RecordError, atomic
from tips.tables.collect import Collected
from tips.tables.published import Tables
from tips.tables.row import Row

R = TypeVar("R", bound=Row)
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


class Shown(NamedTuple):
    """A table as a reader sees it: heads, cells, and one letter of alignment a column."""

    header: Sequence[str]
    cells: Sequence[Sequence[str]]
    align: str = "l"


class Section(NamedTuple):
    """One section of the report."""

    title: str
    body: str


class Page(NamedTuple):
    """What the sections of a report are written from."""

    study: Study
    paths: Paths
    tables: Tables  # as they name this study's variants
    rows: Mapping[str, Sequence[Any]]  # of every table, by its stem
    pictures: Mapping[str, str]  # drawn from tables: Markdown by the stem of the table

    def of(self, sheet: "Sheet[R]") -> Sequence[R]:
        """The rows of a table."""
        return self.rows[sheet.stem]


@dataclass(frozen=True, eq=False)
class Sheet(Generic[R]):
    """One table.

    Attributes:
        stem: of its files, results/{folder}/{stem}.csv and .tex.
        title: its caption; a function where it depends on the study.
        row: the type of its rows, whose fields are its columns.
        fill: makes the rows of a study that was measured; None: a rule of its own makes them.
        shown: what a reader sees of the rows, in LaTeX; None: all columns that are not empty.
        section: its part of the report; None where another table's section shows it.
        compares: whether its rows have gains that the report draws.
        folder: of its files.
    """

    stem: str
    title: str | Callable[[Collected], str]
    row: type[R]
    fill: Callable[[Collected], Sequence[R]] | None
    shown: Callable[[Collected, Sequence[R]], Shown] | None = None
    section: Callable[[Page], Section] | None = None
    compares: bool = False
    folder: str = "tables"

    def file(self, paths: Paths) -> Path:
        """Its CSV file."""
        return paths.results / self.folder / f"{self.stem}.csv"

    def save(
        self, paths: Paths, rows: Sequence[R], title: str = "", shown: Shown | None = None
    ) -> None:
        """Writes the CSV file and its LaTeX twin.

        Args:
            paths: of the study.
            rows: of the table.
            title: its caption, where it depends on the study.
            shown: what the LaTeX form has; None: all columns that are not empty.
        """
        cells = [row.cells() for row in rows]
        header = tuple(cells[0]) if cells else self.row.columns()
        values = [list(row.values()) for row in cells]
        with atomic(self.file(paths)) as stream:
            csv.writer(stream, lineterminator="\n").writerows([header, *values])
        with atomic(self.file(paths).with_suffix(".tex")) as stream:
            stream.write(latex(title or str(self.title), shown or Shown(header, values)))

    def write(self, found: Collected) -> None:
        """Fills the table and writes its files."""
        if self.fill is None:
            return
        rows = self.fill(found)
        title = self.title if isinstance(self.title, str) else self.title(found)
        shown = None if self.shown is None else self.shown(found, rows)
        self.save(found.paths, rows, title, shown)

    def read(self, paths: Paths) -> list[R]:
        """Reads the rows back. Raises RecordError for a file that is missing or another table's."""
        file = self.file(paths)
        try:
            with file.open(encoding="utf-8", newline="") as stream:
                reader = csv.DictReader(stream)
                absent = set(self.row.columns()) - set(reader.fieldnames or ())
                if absent:
                    raise ValueError(f"no column {', '.join(sorted(absent))}")
                return [self.row.read(cells) for cells in reader]
        except FileNotFoundError as error:
            raise RecordError(f"{file}: no such file; run the stage tabulate first") from error
        except (ValueError, TypeError, csv.Error) as error:
            raise RecordError(
                f"{file}: not a table of this version ({error}); run the stage tabulate again"
            ) from error


def latex(title: str, shown: Shown) -> str:
    """The table as a LaTeX tabular, columns that are empty in every row left out."""
    header, cells = shown.header, shown.cells
    keep = [index for index in range(len(header)) if any(row[index] for row in cells) or not cells]
    body = [_tex_row([row[index] for index in keep]) for row in cells]
    return "\n".join(
        [
            f"% {title}",
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
