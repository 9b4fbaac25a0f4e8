"""metrics.json, the tables, the report and MLflow give one number for every cell."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from statistics import fmean, stdev

import fake_study
import pytest
from spoiled import work_on_copy

from tips.config import Study, load_study
from tips.paths import Paths, study_paths
from tips.records import read_json
from tips.stages import report, tabulate, track
from tips.tables.ablations import COMPONENTS
from tips.tables.cells import Absent, known, plain
from tips.tables.compared import Line
from tips.tables.contents import SHEETS
from tips.tables.published import Tables, load_tables
from tips.tables.sheet import Sheet
from tips.tables.subsets import SUBSETS_TABLE
from tips.tracking.shown import gain_name, metric_name

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.filterwarnings("default::FutureWarning"),
]
LINES = [sheet for sheet in SHEETS if issubclass(sheet.row, Line)]
METRICS = """SELECT t.value, m.key, m.value FROM latest_metrics m
             JOIN runs r ON m.run_uuid = r.run_uuid AND r.lifecycle_stage = 'active'
             JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'tips.variant'
             JOIN tags k ON k.run_uuid = r.run_uuid AND k.key = 'tips.kind'
             WHERE k.value = 'variant'"""
Numbers = dict[tuple[str, str], float]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder, measured=True):
        tabulate.run(fake_study.SCALE)
        report.run(fake_study.SCALE)
        track.run(fake_study.SCALE)
    return folder


@pytest.fixture
def study(finished: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(finished)
    return load_study(fake_study.SCALE, Path("experiments"))


@pytest.fixture
def paths(study: Study) -> Paths:
    return study_paths(study.scale)


@pytest.fixture
def tables(study: Study) -> Tables:
    return load_tables(Path("experiments/tables.yaml"), study.scale.dataset.release)


@pytest.fixture
def tracked(paths: Paths) -> Numbers:
    return in_mlflow(paths)


def in_mlflow(paths: Paths) -> Numbers:
    """Metrics of the parents in MLflow, by variant and name."""
    connection = sqlite3.connect(paths.mlflow)
    try:
        return {(name, key): value for name, key, value in connection.execute(METRICS)}
    finally:
        connection.close()


def boxes_of(sheet: Sheet, line: Line, tables: Tables) -> str:
    found = [t.row(line.row) for t in tables.tables if sheet.stem == f"table-{t.name}"]
    return found[0].boxes if found else "gt"


def scores(paths: Paths, variant: str, boxes: str) -> list[float]:
    files = (paths.metrics(variant, str(seed), boxes) for seed in range(3))
    return [float(read_json(file)["total"]) for file in files if file.is_file()]


@pytest.mark.parametrize("sheet", LINES, ids=lambda sheet: sheet.stem)
def test_a_cell_is_the_mean_of_its_runs_everywhere(
    sheet: Sheet, paths: Paths, tables: Tables, tracked: Numbers
) -> None:
    for line in sheet.read(paths):
        boxes = boxes_of(sheet, line, tables)
        values = scores(paths, line.variant, boxes)
        assert known(line.ours) == bool(values)
        if not values:
            continue
        total = "total" if boxes == "gt" else f"{boxes}/total"
        assert plain(line.ours) == plain(fmean(values))
        assert plain(line.ours) == plain(tracked[line.variant, metric_name(total)])
        assert (
            line.n_seeds == len(values) == tracked[line.variant, "various/seeds"] or boxes != "gt"
        )
        if len(values) > 1:
            assert plain(line.sd) == plain(stdev(values))
            assert plain(line.sd) == plain(tracked[line.variant, f"various/sd {total}"])


@pytest.mark.parametrize("sheet", [one for one in LINES if one.compares], ids=lambda one: one.stem)
def test_a_gain_and_its_interval_are_the_same_in_mlflow(
    sheet: Sheet, paths: Paths, tables: Tables, tracked: Numbers
) -> None:
    for line in sheet.read(paths):
        if boxes_of(sheet, line, tables) != "gt":
            continue
        for over, gain in ((line.baseline, line.gain), ("concat-wide", line.wide)):
            if known(gain.value):
                ends = [tracked.get((line.variant, gain_name(over, end))) for end in ENDS]
                wanted = [one if known(one) else None for one in (gain.value, gain.low, gain.high)]
                assert ends == wanted


ENDS = ("gain", "low", "high")


def test_there_are_gains_and_deviations_to_compare(tracked: Numbers) -> None:
    assert ("tips", "low") in tracked
    assert ("tips", "various/over concat-wide/gain") in tracked
    assert ("tips", "various/sd total") in tracked
    assert ("hrnet", "various/detected/total") in tracked


def test_the_report_prints_the_same(paths: Paths) -> None:
    text = (paths.reports / "report.md").read_text(encoding="utf-8")
    for sheet in LINES:
        for line in sheet.read(paths):
            if line.measured and sheet.compares:
                assert line.shown in text, (sheet.stem, line.row)
                assert line.gain.text in text
    for row in SUBSETS_TABLE.read(paths):
        assert f"| {plain(row.all)} | {plain(row.clean)} | {plain(row.degraded)} |" in text


def gone(paths: Paths) -> None:
    paths.predictions("tips", "1", "gt").unlink()


def predicted_anew(paths: Paths) -> None:
    file = paths.predictions("tips", "1", "gt")
    file.write_text(file.read_text().replace("tips", "tips "))


def of_another_run(paths: Paths) -> None:
    shutil.copy(paths.evidence("hrnet", "0", "gt"), paths.evidence("tips", "1", "gt"))


def all_of_another_run(paths: Paths) -> None:
    for file in (paths.predictions, paths.metrics, paths.evidence):
        shutil.copy(file("hrnet", "0", "gt"), file("tips", "1", "gt"))


def labelled_anew(paths: Paths) -> None:
    file = paths.annotations("val")
    file.write_text(file.read_text() + " ")


def a_seed_too_many(paths: Paths) -> None:
    shutil.copytree(paths.run("tips", "0"), paths.run("tips", "7"))


@pytest.mark.parametrize(
    ("spoil", "seeds", "kept"),
    [
        (gone, 0, 2),
        (predicted_anew, 0, 2),
        (of_another_run, 0, 2),
        (all_of_another_run, 0, 2),
        (labelled_anew, 0, 0),
        (a_seed_too_many, 0, 3),
        (lambda _: None, 1, 1),
    ],
)
def test_what_the_tables_do_not_count_mlflow_does_not_average(
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spoil: Callable[[Paths], None],
    seeds: int,
    kept: int,
) -> None:
    work_on_copy(finished, tmp_path, monkeypatch)
    paths = study_paths(load_study(fake_study.SCALE, Path("experiments")).scale)
    spoil(paths)
    tabulate.run(fake_study.SCALE, seeds=seeds)
    track.run(fake_study.SCALE, seeds=seeds)
    tracked = in_mlflow(paths)
    line = next(row for row in COMPONENTS.read(paths) if row.variant == "tips")
    assert (line.n_seeds, tracked["tips", "various/seeds"]) == (kept, kept)
    if not kept:
        assert ("tips", "total") not in tracked
        assert (line.status, line.ours) == ("failed", Absent.FAILED)
        return
    assert plain(line.ours) == plain(tracked["tips", "total"])
    assert tracked["tips", "gain"] == line.gain_ours
    if kept > 1:
        assert plain(line.sd) == plain(tracked["tips", "various/sd total"])
