"""Every table: what is written is read back, typed; and the forms of its files."""

import dataclasses
import math
import os
from decimal import Decimal
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typed import EXPERIMENTS

from tips.paths import Paths
from tips.records import RecordError
from tips.safe_text import one_line
from tips.tables.cells import Absent, Level, Spread, known, rounded
from tips.tables.contents import SHEETS
from tips.tables.published import load_tables
from tips.tables.row import Row
from tips.tables.sheet import Sheet, Shown, latex


@dataclasses.dataclass(frozen=True)
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


@pytest.mark.parametrize("label", ["=1+1", "'=1+1", "+ L_s", "a\nb", "\u202etxt", "x" * 200_000])
def test_a_label_is_one_safe_line_in_both_forms(tmp_path: Path, label: str) -> None:
    paths = Paths(tmp_path / "results", tmp_path / "reports", "toy", tmp_path)
    SHEET.save(paths, [Small(label, "", -2.0)], title=f"A title\n{label}")
    assert SHEET.read(paths) == [Small(one_line(label), "", -2.0)]
    written = SHEET.file(paths).read_text().splitlines()[1]
    assert not written.lstrip('"').startswith(("=", "+"))
    assert written.endswith(",-2.00")
    tex = SHEET.file(paths).with_suffix(".tex").read_text().splitlines()
    assert [line[:6] for line in tex if not line.startswith("\\")][:2] == ["% A ti", "row & "]
    assert len(tex) == 8


def test_a_bracket_at_the_start_of_a_row_is_no_argument_of_the_line_above() -> None:
    assert "\n{}[a & b" in latex("A title", Shown(("x", "y"), [["[a", "b"]]))


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


def parts(hint: Any) -> st.SearchStrategy[Any]:
    """Values of one field's type."""
    if get_origin(hint) is Annotated:
        return parts(get_args(hint)[0])
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) in (Union, UnionType):
        return st.one_of(*map(parts, get_args(hint)))
    return PLAIN[hint]


PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(0, 10**9),
    float: st.floats(-1e6, 1e6),
    Absent: st.sampled_from(Absent),
    NoneType: st.none(),
    Decimal: st.decimals(-99, 99, places=1, allow_nan=False),
}


def drawn(kind: type[Row]) -> st.SearchStrategy[Row]:
    """Rows of a table with any values that its columns may hold."""
    hints = get_type_hints(kind, include_extras=True)
    fields = {}
    for name in (field.name for field in dataclasses.fields(kind)):
        spread = next((one for one in get_args(hints[name]) if isinstance(one, Spread)), None)
        if spread is None:
            fields[name] = parts(hints[name])
        else:
            _, value = get_args(get_args(hints[name])[0])
            fields[name] = st.fixed_dictionaries({key: parts(value) for key in spread.keys or ()})
    return st.builds(kind, **fields)


@pytest.mark.parametrize("sheet", SHEETS, ids=lambda sheet: sheet.stem)
def test_every_row_comes_back_as_its_cells_say(sheet: Sheet[Any]) -> None:
    @given(drawn(sheet.row))
    @settings(max_examples=12)
    def check(row: Row) -> None:
        cells = row.cells()
        back = sheet.row.read(cells)
        assert back.cells() == cells
        for field in dataclasses.fields(row):
            own, other = getattr(row, field.name), getattr(back, field.name)
            if isinstance(own, float):
                assert math.isclose(own, other, abs_tol=0.0501)
            elif not isinstance(own, dict):
                assert (own, type(own)) == (other, type(other))

    check()


@pytest.mark.parametrize("cell", ["nan", "inf", "many", "1,5"])
def test_a_cell_that_is_no_number_is_refused(tmp_path: Path, cell: str) -> None:
    paths = Paths(tmp_path / "results", tmp_path / "reports", "toy", tmp_path)
    SHEET.save(paths, [Small("a", "", 2.0)])
    text = SHEET.file(paths).read_text()
    SHEET.file(paths).write_text(text.replace("2.00", f'"{cell}"'))
    with pytest.raises(RecordError, match="run the stage tabulate again"):
        SHEET.read(paths)


def test_a_row_that_was_cut_is_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "results", tmp_path / "reports", "toy", tmp_path)
    for row in ("a,b", "a,b,2.00,more"):
        SHEET.file(paths).parent.mkdir(parents=True, exist_ok=True)
        SHEET.file(paths).write_text(f"row,empty,value\n{row}\n")
        with pytest.raises(RecordError, match="another number of cells"):
            SHEET.read(paths)


def test_a_table_that_is_a_pipe_or_a_device_is_not_waited_for(tmp_path: Path) -> None:
    paths = Paths(tmp_path, tmp_path, "d", tmp_path)
    file = SHEET.file(paths)
    file.parent.mkdir()
    os.mkfifo(file)
    with pytest.raises(RecordError, match=r"table-9\.csv: is no regular file"):
        SHEET.read(paths)
    file.unlink()
    file.symlink_to("/dev/zero")
    with pytest.raises(RecordError, match=r"table-9\.csv: is no regular file"):
        SHEET.read(paths)
    file.unlink()
    with pytest.raises(RecordError, match=r"no such file; run the stage tabulate first"):
        SHEET.read(paths)


def test_every_table_of_the_paper_has_its_sheet() -> None:
    names = {f"table-{table.name}" for table in load_tables(EXPERIMENTS / "tables.yaml").tables}
    assert names <= {sheet.stem for sheet in SHEETS}
