"""Stages that follow a training for some steps, on the tiny study."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import tiny_study
import yaml

from tips.config import ConfigError
from tips.stages import bench_features, gradients, train


@pytest.fixture(scope="module", autouse=True)
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("followed")
    tiny_study.write(folder)
    file = folder / "experiments/scales/tiny.yaml"
    scale = yaml.safe_load(file.read_text())
    scale["rows"] = ["hrnet", "copy-3", "concat", "tips"]
    file.write_text(yaml.safe_dump(scale))
    with tiny_study.prepared(folder):
        train.run("hrnet", 0, tiny_study.SCALE, tiny_study.ROOT)
        yield


def numbers(page: str, part: str) -> list[list[float]]:
    """The numbers of a part's line at every step."""
    lines = [line for line in page.splitlines() if line.startswith(f"| {part} ")]
    return [[float(cell) for cell in line.split("|")[2:-1]] for line in lines]


def test_gradients_are_zero_behind_layers_that_start_at_zero(tmp_path: Path) -> None:
    report = tmp_path / "gradients.md"
    gradients.run("tips", 0, tiny_study.SCALE, tiny_study.ROOT, report)
    page = report.read_text()
    heatmap, trajectory, anchor = 0, 1, 2  # the columns
    first, later = numbers(page, "synthesizer.encoder")[:2]  # steps 0 and 20
    assert first[heatmap] == 0 < first[trajectory]
    assert later[heatmap] > 0 < later[trajectory]
    assert all(row[anchor] == 0 for row in (first, later))  # it trains C_real alone
    assert all(row[anchor] > 0 for row in numbers(page, "coordinate_heads.real"))


def test_what_is_not_trained_has_no_gradients() -> None:
    with pytest.raises(ConfigError, match="variant 'copy-3' is not trained"):
        gradients.run("copy-3", 0, tiny_study.SCALE, tiny_study.ROOT)


def test_both_paths_are_timed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "features.md"
    bench_features.run(tiny_study.SCALE, tiny_study.ROOT, 2, report)
    assert report.read_text() in capsys.readouterr().out
    for row in ("concat", "tips"):
        steps, live, kept = numbers(report.read_text().replace(" to ", "|"), row)[0][:3]
        assert steps == 36
        assert min(live, kept) >= 0
