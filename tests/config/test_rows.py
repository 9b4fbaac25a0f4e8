"""Names of rows that the code speaks of stand in one place."""

import ast
from pathlib import Path

import pytest

from tips.config import load_study, needs_root, rows
from tips.tables.published import load_tables

ROOT = Path(__file__).parents[2]
NAMES = {value for key, value in vars(rows).items() if key.isupper()}
# The package and a kind of model are called `tips` as well, so that name tells nothing.
TOLD = NAMES - {rows.FULL}
ELSEWHERE = {
    "models/backbones/hrnet/settings.py": "the kind of backbone, not the row",
    "reporting/bench_inference.py": "a published row, by its key",
    "reporting/cost.py": "remarks on single networks, by row",
    "stages/plan.py": "networks whose steps differ in size, by row",
}


def test_a_row_s_name_stands_in_one_file() -> None:
    found = set()
    for file in (ROOT / "tips").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in TOLD:
                found.add(file.relative_to(ROOT / "tips").as_posix())
    assert found == {"config/rows.py", *ELSEWHERE}


@pytest.mark.parametrize("scale", ["desk", "smoke", "paper-posetrack18"])
def test_every_row_that_has_a_name_there_is_one(scale: str) -> None:
    root = "anywhere" if needs_root(scale, ROOT / "experiments") else None
    study = load_study(scale, ROOT / "experiments", root)
    assert NAMES - study.variants.keys() == {rows.MEAN_POSE}  # which has no experiment
    tables = load_tables(ROOT / "experiments/tables.yaml")
    shown = {row.variant for table in tables.tables for row in table.rows}
    assert NAMES <= shown


def test_a_row_that_is_a_stage_one_has_it_as_its_own() -> None:
    study = load_study("desk", ROOT / "experiments")
    assert study.variant(rows.BACKBONE).experiment.first_stage
    assert study.stage_one(rows.FULL) == study.stage_one(rows.SCRATCH) == rows.BACKBONE
