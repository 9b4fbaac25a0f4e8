"""Every table: what is written is read back, typed; and the forms of its files."""

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.paths import Paths
from tips.reporting.contents import CONTENTS, SHEETS
from tips.tables.cells import Absent, Level, known, rounded
from tips.tables.row import Row
from tips.tables.sheet import Sheet, Shown, latex


@dataclass(frozen=True)
class Small(Row):
    """A row."""

    row: str
    empty: str
    value: Level


SHEET = Sheet("table-9", "A title", Small, lambda _: ())


def test_latex_escapes_and_leaves_empty_columns_out() -> None:
    text = latex("A title", Shown(("row", "empty", "value"), [["a_b", "", "1 & 2 %"]]))
    assert r"a\_b & 1 \& 2 \% \\" in text
    assert "empty" not in text
    assert r"\begin{tabular}{ll}" in text


def test_both_forms_are_written_and_read_back(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "results", tmp_path / "reports", "toy", tmp_path)
    SHEET.save(paths, [Small("a,b", "", 2.0), Small("c", "", Absent.MISSING)])
    assert SHEET.file(paths).read_text() == 'row,empty,value\n"a,b",,2.00\nc,,missing\n'
    assert r"c & missing \\" in SHEET.file(paths).with_suffix(".tex").read_text()
    assert SHEET.read(paths) == [Small("a,b", "", 2.0), Small("c", "", Absent.MISSING)]


def test_a_table_without_rows_keeps_its_header(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "results", tmp_path / "reports", "toy", tmp_path)
    SHEET.save(paths, [])
    assert SHEET.file(paths).read_text() == "row,empty,value\n"
    assert SHEET.read(paths) == []
    assert "row & empty & value" in SHEET.file(paths).with_suffix(".tex").read_text()


@given(st.one_of(st.floats(-1e6, 1e6), st.sampled_from(Absent)))
def test_a_value_is_what_its_cell_says(value: float | Absent) -> None:
    back = Small.read(Small("a", "", value).cells()).value
    if known(value):
        assert known(back)
        assert math.isclose(back, value, abs_tol=0.00501)
        assert rounded(back) == rounded(value)
    else:
        assert back is value


def test_tables_have_names_and_columns_of_their_own() -> None:
    assert len({sheet.stem for sheet in SHEETS}) == len(SHEETS)
    for sheet in SHEETS:
        columns = sheet.row.columns()
        assert len(set(columns)) == len(columns) >= 4
        assert sheet.row.__doc__


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)
def test_every_row_comes_back_as_it_was_written(sheet: Sheet[Any]) -> None:
    """Empty cells where a column may be empty, else a zero."""
    cells = {name: "" for name in sheet.row.columns()}
    for field in fields(sheet.row):
        try:
            sheet.row.read(cells)
            break
        except ValueError:  # an integer cannot be empty
            cells[field.name] = "0" if field.type is int else cells.get(field.name, "")
    row = sheet.row.read(cells)
    assert row.cells() == cells
    assert sheet.row.read(row.cells()) == row


def test_every_part_of_the_page_has_a_section_or_a_table() -> None:
    assert all(isinstance(one, Sheet) or callable(one) for one in CONTENTS)
    assert any(isinstance(one, Sheet) and one.section is None for one in CONTENTS)
