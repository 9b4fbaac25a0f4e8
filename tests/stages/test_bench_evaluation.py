import json
import resource
from pathlib import Path

import pytest

from tips.bench.synthetic_dataset import Crowd
from tips.config import ConfigError
from tips.stages import bench_evaluation


def test_the_record_and_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_evaluation, "PROMISED", Crowd(2, 3, 2, vary=False))
    monkeypatch.setattr(bench_evaluation, "VALIDATION", Crowd(2, 40, 2, vary=True))
    out, report = tmp_path / "a/bench.json", tmp_path / "b/bench.md"
    bench_evaluation.run(out, report, pairs=3)
    result = json.loads(out.read_text())
    assert [row["style"] for row in result["ratios"]] == [17, 18]
    for row in result["ratios"]:
        low, high = row["quartiles"]
        assert 0 < low <= row["ratio"] <= high
        assert row["frames"] == 6
        assert row["seconds"]["json_load"] < row["seconds"]["reading"]
    large = result["validation"]
    assert large["frames"] == 80
    assert large["joints"] > 2 * 30 * 15  # the labelled ones only: at least one person in each
    # The child starts as a copy of this process, which other tests may have made large.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert 20 < large["peak_memory_mb"] < 2000 + own
    assert 0 < large["seconds"]["cpu"]
    text = report.read_text()
    assert text.count("\n| ") == 4
    assert text in capsys.readouterr().out


def test_no_pairs_is_refused() -> None:
    with pytest.raises(ConfigError, match="--pairs must be at least 1; got 0"):
        bench_evaluation.run(pairs=0)
