"""Paths of a study: no link stands for one of its folders, wherever it is."""

from pathlib import Path

import pytest

from tips.config import ConfigError, Scale, load_scale
from tips.paths import _refuse_links, study_paths

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    _refuse_links.cache_clear()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outside/deep").mkdir(parents=True)
    return tmp_path


@pytest.fixture(scope="module")
def smoke() -> Scale:
    return load_scale("smoke", EXPERIMENTS)


@pytest.mark.parametrize(
    "name",
    [
        *("results/smoke-embedded", "reports/smoke-embedded", "results/smoke-embedded/state"),
        *("results/smoke-embedded/data/embedded/interim", "reports/smoke-embedded/figures"),
        "results/smoke-embedded/runs/embedded/tips/seed-0",
    ],
)
def test_a_link_in_the_place_of_a_folder_is_refused(folder: Path, smoke: Scale, name: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(folder / "outside")
    with pytest.raises(ConfigError, match=f"^{name}: a link in the place of a folder"):
        study_paths(smoke)


def test_results_themselves_and_files_may_be_links(folder: Path, smoke: Scale) -> None:
    (folder / "disk/smoke-embedded/logs").mkdir(parents=True)
    for name in ("results", "reports"):
        (folder / name).symlink_to(folder / "disk")
    (folder / "disk/smoke-embedded/logs/a.log").symlink_to("nowhere")
    assert study_paths(smoke).results == Path("results/smoke-embedded")
    desk = load_scale("desk", EXPERIMENTS)
    assert study_paths(desk).results == Path("results")
