from pathlib import Path

import fake_study
import pytest

from tips import skeleton
from tips.evaluation.synthesis import SOURCES
from tips.paths import Paths
from tips.records import RecordError, read_json
from tips.stages import evaluate


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    folder = tmp_path_factory.mktemp("study")
    with fake_study.inside(folder) as paths:
        return paths


@pytest.fixture(autouse=True)
def _inside(paths: Paths, tmp_path_factory: pytest.TempPathFactory, monkeypatch):
    folder = next(
        p for p in tmp_path_factory.getbasetemp().glob("study*") if (p / "results").exists()
    )
    monkeypatch.chdir(folder)


def test_metrics_are_complete_and_consistent(paths: Paths) -> None:
    evaluate.run("tips", 1, scale=fake_study.SCALE)
    metrics = read_json(paths.metrics("tips", "1", "gt"))
    aps = [metrics["joints"][name]["ap"] for name in skeleton.JOINTS]
    assert metrics["total"] == pytest.approx(sum(aps) / 15)
    columns = metrics["columns"]
    others = sum(value for name, value in columns.items() if name != "Head")
    assert metrics["total"] == pytest.approx((3 * columns["Head"] + 2 * others) / 15)
    assert set(metrics["oks"]["parts"]) == set(skeleton.COLUMNS)
    assert metrics["oks"]["matching"] == "track"
    assert set(metrics["subsets"]) == {"clean", "degraded", "hidden"}
    assert len(metrics["synthesis"]["0.5"]) == 5 * len(SOURCES)  # all, and four quartiles
    counts = metrics["joints"]["nose"]
    assert counts["precision"] == pytest.approx(100 * counts["n_hit"] / counts["n_found"])


def test_equal_predictions_give_equal_bytes_without_time_or_path(paths: Paths) -> None:
    out = paths.metrics("tips", "0", "gt")
    evaluate.run("tips", 0, scale=fake_study.SCALE)
    first = out.read_bytes()
    evaluate.run("tips", 0, scale=fake_study.SCALE)
    assert out.read_bytes() == first
    assert str(paths.results).encode() not in first
    assert str(Path.cwd()).encode() not in first


def test_detected_boxes_lie_apart_and_match_by_oks(paths: Paths) -> None:
    evaluate.run("hrnet", 0, "detected", fake_study.SCALE)
    metrics = read_json(paths.metrics("hrnet", "0", "detected"))
    assert metrics["boxes"] == "detected"
    assert metrics["oks"]["matching"] == "best"
    assert metrics["synthesis"] == {}


def test_absent_predictions_are_refused(paths: Paths) -> None:
    with pytest.raises(RecordError, match=str(Path("window-3") / "seed-0")):
        evaluate.run("window-3", 0, scale=fake_study.SCALE)
