from pathlib import Path

from tips.paths import Paths
from tips.reporting.tables import Sheet, latex, write

SHEET = Sheet("table-9", "A title", ("row", "empty", "value"), (("a_b", "", "1 & 2 %"),))


def test_latex_escapes_and_leaves_empty_columns_out() -> None:
    text = latex(SHEET)
    assert r"a\_b & 1 \& 2 \% \\" in text
    assert "empty" not in text
    assert r"\begin{tabular}{ll}" in text


def test_both_forms_are_written(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "results", tmp_path / "reports", "toy", tmp_path)
    write(SHEET, paths)
    assert paths.table("table-9").read_text() == "row,empty,value\na_b,,1 & 2 %\n"
    assert paths.table("table-9").with_suffix(".tex").read_text() == latex(SHEET)


def test_a_table_without_rows_keeps_its_header() -> None:
    assert "row & empty & value" in latex(SHEET._replace(cells=()))
