import json
from pathlib import Path

import pytest

from tips.bench.kernel_cases import Shape
from tips.config import ConfigError
from tips.ops import native
from tips.stages import bench


@pytest.mark.usefixtures("built")
def test_the_record_and_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = Shape(1, [(6, 5)], 2, 8)
    monkeypatch.setattr(bench, "ATTENTION", {"small": small})
    monkeypatch.setattr(bench, "FUSED", {"small-fused": small})
    out, report = tmp_path / "bench.json", tmp_path / "bench.md"
    bench.run(out, report, pairs=2)
    rows = json.loads(out.read_text())
    assert [(row["shape"], row["threads"]) for row in rows] == [
        (name, threads)
        for threads in (1, 2)
        for name in ("small", "small-fused", "dcn-c128", "adacof-3x3")
    ]
    for row in rows:
        low, high = row["quartiles"]["forward"]
        assert 0 < low <= high
        assert row["forward_ratio"] > 0
        assert row["forward_backward_ratio"] > 0
        assert row["pairs"] == 2
        assert row["milliseconds"]["forward_backward"]["ours"] > 0
        assert row["reference"]
    assert report.read_text().count("\n| ") == 2 + len(rows)  # header, rule and every row


def test_without_a_kernel_there_is_nothing_to_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "served", frozenset)
    with pytest.raises(ConfigError, match="no kernel is built; run `make kernels`"):
        bench.run()


@pytest.mark.usefixtures("built")
def test_no_pairs_is_refused() -> None:
    with pytest.raises(ConfigError, match="--pairs must be at least 1; got 0"):
        bench.run(pairs=0)
