"""The guide's table: one file and one line, and it is made, shown and tested like any other."""

import csv
import json
from pathlib import Path

import fake_study
import pytest
from blocks import commands, copy_to, put, python

STEM = "table-by-motion"
# What the workflow's rule `tabulate` lists as its outputs, and the order of the tables.
LISTED = """
import json
from tips.tables.contents import SHEETS
print(json.dumps([sheet.stem for sheet in SHEETS if sheet.fill is not None]))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with the example, and a study in it whose tables and report were made."""
    folder = tmp_path_factory.mktemp("guide")
    with fake_study.inside(folder, measured=True):
        copy_to(folder)
    put("A table", folder)
    _, *made = commands("A table")
    for words in made:
        python(folder, *words, "--scale", fake_study.SCALE)
    return folder


@pytest.mark.slow
def test_its_files_hold_every_variant_and_motion(copy: Path) -> None:
    tables = copy / "results" / "fake-embedded" / "tables"
    with (tables / f"{STEM}.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    found = {(row["variant"], row["boxes"], row["motion"]): row for row in rows}
    assert len(found) == len(rows)
    motions = {motion for _, _, motion in found}
    assert motions == {"dance", "run"}
    assert {name for name, _, _ in found} == {*fake_study.NOISE, "window-3"}
    assert {row["sequences"] for row in rows} == {str(fake_study.SEQUENCES // 2)}
    for motion in motions:
        full, backbone = (float(found[name, "gt", motion]["ap"]) for name in ("tips", "hrnet"))
        assert 0 < backbone < full < 100
        assert found["tips", "gt", motion]["n_seeds"] == "3"
        assert found["window-3", "gt", motion]["ap"] == "missing"
    assert "AP by motion" in (tables / f"{STEM}.tex").read_text()


@pytest.mark.slow
def test_the_report_has_its_section_where_the_list_says(copy: Path) -> None:
    text = (copy / "reports" / "fake-embedded" / "report.md").read_text()
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles[titles.index("Clean, degraded, hidden") + 1] == "AP by motion"
    assert f"| tips | gt | run | {fake_study.SEQUENCES // 2} | " in text.split("## AP by motion")[1]


@pytest.mark.slow
def test_the_workflow_and_the_tests_of_tables_know_it(copy: Path) -> None:
    assert STEM in json.loads(python(copy, "-c", LISTED))
    told = python(copy, *commands("A table")[0], "-rA", "-k", STEM)
    assert f"test_every_row_comes_back_as_its_cells_say[{STEM}]" in told
