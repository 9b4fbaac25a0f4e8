"""A table of the report as one object: what fills it, its files, and how pages show it."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from tips import safe_text
from tips.config import Study
from tips.paths import Paths
from tips.records import RecordError, atomic, regular
from tips.tables.collect import Collected
from tips.tables.published import Tables
from tips.tables.row import Row

R = TypeVar("R", bound=Row)


class Shown(NamedTuple):
    """A table as a reader sees it: heads, cells, and one letter of alignment per column."""

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
    tables: Tables  # the published tables, whose rows name this study's variants
    rows: Mapping[str, Sequence[Any]]  # the rows of every table, by its stem
    pictures: Mapping[str, str]  # Markdown of the drawn tables, by stem

    def of(self, sheet: "Sheet[R]") -> Sequence[R]:
        """Gives the rows of a table."""
        return self.rows[sheet.stem]

    def row(self, sheet: "Sheet[R]", **values: object) -> R:
        """Gives the first row of a table with these values. Raises RecordError if there is none."""
        for row in self.of(sheet):
            if all(getattr(row, name) == value for name, value in values.items()):
                return row
        wanted = " ".join(map(str, values.values())) or "any"
        raise RecordError(sheet.incomplete(self.paths, f"no row '{wanted}'"))


@dataclass(frozen=True, eq=False)
class Sheet(Generic[R]):
    """One table.

    Attributes:
        stem: the name of its files, results/{folder}/{stem}.csv and .tex.
        title: its caption; a function if it depends on the study.
        row: the type of its rows, whose fields are its columns.
        fill: makes the rows of a measured study; None if another rule of the workflow makes them.
        shown: what a reader sees of the rows in LaTeX; None for all columns that are not empty.
        section: writes its part of the report; None if another table's section shows it.
        compares: whether its rows have gains that the report draws.
        maker: the stage that makes it.
        folder: the folder of its files.
    """

    stem: str
    title: str | Callable[[Collected], str]
    row: type[R]
    fill: Callable[[Collected], Sequence[R]] | None
    shown: Callable[[Collected, Sequence[R]], Shown] | None = None
    section: Callable[[Page], Section] | None = None
    compares: bool = False
    folder: str = "tables"
    maker: str = "tabulate"

    def file(self, paths: Paths) -> Path:
        """Gives the path of its CSV file."""
        return paths.results / self.folder / f"{self.stem}.csv"

    def incomplete(self, paths: Paths, what: str) -> str:
        """Words that the table's file lacks something, and what to do."""
        return f"{self.file(paths)}: {what}; run the stage {self.maker} again"

    def save(
        self, paths: Paths, rows: Sequence[R], title: str = "", shown: Shown | None = None
    ) -> None:
        """Writes the CSV file and the same table in LaTeX.

        Args:
            paths: the paths of the study.
            rows: the rows of the table.
            title: its caption, if it depends on the study.
            shown: what the LaTeX form has; None for all columns that are not empty.
        """
        cells = [row.cells() for row in rows]
        header = tuple(cells[0]) if cells else self.row.columns()
        values = [list(row.values()) for row in cells]
        lines = [[safe_text.to_cell(cell) for cell in line] for line in (header, *values)]
        with atomic(self.file(paths)) as stream:
            csv.writer(stream, lineterminator="\n").writerows(lines)
        with atomic(self.file(paths).with_suffix(".tex")) as stream:
            stream.write(latex(title or str(self.title), shown or Shown(header, values)))

    def write(self, found: Collected, rows: Sequence[R]) -> None:
        """Writes the files of a table of a measured study."""
        title = self.title if isinstance(self.title, str) else self.title(found)
        shown = None if self.shown is None else self.shown(found, rows)
        self.save(found.paths, rows, title, shown)

    def _row(self, cells: Mapping[str, Any]) -> R:
        if None in cells or None in cells.values():
            raise ValueError("a row has another number of cells than the header")
        return self.row.read({name: safe_text.from_cell(cell) for name, cell in cells.items()})

    def read(self, paths: Paths) -> list[R]:
        """Reads the rows back. Raises RecordError if the file is missing or another table's."""
        file = self.file(paths)
        regular(file, f"run the stage {self.maker} first")
        try:
            with file.open(encoding="utf-8", newline="") as stream:
                reader = csv.DictReader(stream)
                absent = set(self.row.columns()) - set(reader.fieldnames or ())
                if absent:
                    raise ValueError(f"no column {', '.join(sorted(absent))}")
                return [self._row(cells) for cells in reader]
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise RecordError(
                f"{file}: not a table of this version ({error}); run the stage {self.maker} again"
            ) from error


def latex(title: str, shown: Shown) -> str:
    """Writes the table as a LaTeX tabular; columns that are empty in every row are left out."""
    header, cells = shown.header, shown.cells
    keep = [index for index in range(len(header)) if any(row[index] for row in cells) or not cells]
    body = [_tex_row([row[index] for index in keep]) for row in cells]
    return "\n".join(
        [
            f"% {safe_text.one_line(title)}",
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
    line = " & ".join(map(safe_text.latex, cells)) + r" \\"
    # LaTeX takes a bracket or a star after the line above for an argument of its \\.
    return f"{{}}{line}" if line[0] in "[*" else line
