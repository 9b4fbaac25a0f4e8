import json
from pathlib import Path

import pytest
import typed

from tips import records
from tips.config import Study, load_study
from tips.paths import Paths, study_paths
from tips.records import Annotations, RecordError
from tips.tables import speed
from tips.tables.cells import Absent
from tips.tables.collect import collect
from tips.tables.published import Table, load_tables
from tips.tables.speed import SPEED, SpeedLine

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TABLES = load_tables(EXPERIMENTS / "tables.yaml")
TABLE: Table = TABLES.table(speed.NAME)
RATIOS = {
    name: {"wall_ratio": ratio, "cpu_ratio": 2 * ratio}
    for name, ratio in {"hrnet": 1.0, "tips": 5.25, "window-3": 3.0, "fami-pose": 4.0}.items()
}
COUNTED = {
    "title": "TIPS",
    "params": 99_130_000,
    "params_by_part": {},
    "gmac": 1521.44,
    "gimac": 1416.9,
    "macs": {},
}


@pytest.fixture
def study() -> Study:
    return load_study("desk", EXPERIMENTS)


@pytest.fixture
def paths(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.chdir(tmp_path)
    return study_paths(study.scale)


def write(paths: Paths, interim: dict[str, float]) -> None:
    measured = {"reference": "hrnet", "rows": RATIOS, "interim": interim}
    records.write_json(measured, paths.speed)
    records.write_json([{"variant": "tips"} | COUNTED], paths.cost)


TIMES = ("speed_ours", "speed_interim_made", "cpu_ours")
SIZES = ("params_paper_size", "gmac_paper_size")


def rows(study: Study, paths: Paths, table: Table = TABLE) -> list[SpeedLine]:
    """The table of a study without a single run."""
    empty = Annotations(dataset="x", split="val", root=".", sequences=())
    records.write(empty, paths.annotations("val"))
    found = collect(study, paths, TABLES, None, {})
    return speed.fill(table, found)


def cells(study: Study, paths: Paths) -> dict[str, dict[str, str]]:
    return {row.row: row.cells() for row in rows(study, paths)}


def times(row: dict[str, str]) -> list[str]:
    return [row[name] for name in TIMES]


def test_interim_frames_cost_the_rows_that_look_at_them(study: Study, paths: Paths) -> None:
    tips = study.variant("tips").experiment
    assert (len(tips.window), tips.interim_frames) == (5, "vfit")
    write(paths, {tips.interim: 0.5})
    found = cells(study, paths)
    assert times(found["ours-5"]) == ["5.25", "7.25", "10.50"]  # 5.25 and four of 0.5
    assert times(found["ours-3"]) == ["3.00", "4.00", "6.00"]  # two of them
    assert times(found["ours-1"]) == ["1.00", "1.00", "2.00"]
    assert times(found["FAMI-5"]) == ["4.00", "4.00", "8.00"]
    assert times(found["ours-9"]) == ["missing"] * 3
    assert found["ours-5"]["fps_paper"] == "0.9"
    assert [found["ours-5"][name] for name in SIZES] == ["99130000", "1521.4"]
    assert [found["ours-3"][name] for name in SIZES] == ["missing"] * 2


def test_what_was_not_measured_is_missing(study: Study, paths: Paths) -> None:
    for row in cells(study, paths).values():
        assert {row[name] for name in (*TIMES, *SIZES)} == {"missing"}
    write(paths, {})
    found = cells(study, paths)
    assert times(found["ours-5"]) == ["5.25", "missing", "10.50"]
    assert times(found["FAMI-5"]) == ["4.00", "4.00", "8.00"]
    paths.cost.write_text('[{"variant": "tips"}]')
    with pytest.raises(RecordError, match="run `tips cost` again"):
        cells(study, paths)


def test_a_row_that_is_quoted_only_has_the_papers_fps(study: Study, paths: Paths) -> None:
    quoted = TABLE.row("TDMI-3").model_copy(update={"variant": None})
    only = TABLE.model_copy(update={"rows": (quoted,)})
    (row,) = rows(study, paths, only)
    assert row.fps_paper == "2.7"
    assert {getattr(row, name) for name in (*TIMES, *SIZES)} == {Absent.NONE}


def test_the_section_shows_both_times_and_sizes(study: Study, paths: Paths) -> None:
    write(paths, {study.variant("tips").experiment.interim: 0.5})
    page = typed.page(study, {SPEED: rows(study, paths)})
    body = SPEED.section(page).body
    assert "| FPS, paper | time, interim given | time, interim made | params, paper's" in body
    assert "| 0.9 | x 5.25 | x 7.25 | 99.1M | 1521.4 |" in body
    assert "| 2.1 | x 3.00 | x 4.00 | missing | missing |" in body
    assert "the time of making each of the window's as well" in body
    assert "VFIT-B is in them" in body
    paths.speed.unlink()
    assert "was not measured" in SPEED.section(page).body


@pytest.mark.parametrize("key", ["params", "gmac", "macs", "inference_mib"])
@pytest.mark.parametrize("value", ["NaN", "1e400", "-1", "1" + 400 * "0", '"x"'])
def test_costs_that_are_no_numbers_are_refused(
    study: Study, paths: Paths, key: str, value: str
) -> None:
    write(paths, {})
    spoilt = {"variant": "tips"} | COUNTED | {key: {"a": "here"} if key == "macs" else "here"}
    paths.cost.write_text(json.dumps([spoilt]).replace('"here"', value))
    with pytest.raises(RecordError, match=rf"{key}.*; run `tips cost` again"):
        rows(study, paths)


def test_costs_that_are_no_json_name_the_remedy(study: Study, paths: Paths) -> None:
    write(paths, {})
    paths.cost.write_text("")
    with pytest.raises(RecordError, match=r"not JSON at .*; run `tips cost` again"):
        rows(study, paths)
