"""What `tips cost` writes, and what it refuses."""

from pathlib import Path

import pytest
from studies import study_of

from tips.config import ConfigError, load_study
from tips.models.cost import Macs
from tips.planning import counting
from tips.planning.counting import INTERPOLATORS
from tips.records import RecordError
from tips.stages import cost
from tips.tables.paper_size import ADDED, open_networks

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


def test_speed_needs_a_round() -> None:
    with pytest.raises(ConfigError, match="--repeats must be at least 1; got 0"):
        cost.run(repeats=0)


@pytest.fixture
def uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing runs, not even on the meta device."""
    monkeypatch.setattr(cost, "EXPERIMENTS", EXPERIMENTS)
    monkeypatch.setattr(counting, "multiply_adds", lambda network, *_: FREE)
    monkeypatch.setattr(cost, "network", lambda experiment: experiment.model)  # one of each kind
    monkeypatch.setattr(cost, "memory", lambda _: dict.fromkeys(MEMORY, 1.0))


@pytest.mark.usefixtures("uncounted")
def test_the_page_names_every_variant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [tmp_path / name for name in ("cost.json", "cost.md", "none.json")]
    cost.run(*files)
    assert capsys.readouterr().out.splitlines() == list(map(str, files[:2]))
    found = {one["variant"]: one for one in cost.records.read_json(files[0])}
    assert set(found) == {*open_networks(EXPERIMENTS).names, *INTERPOLATORS}
    assert not files[2].exists()  # nothing is timed
    followed = {name for name, one in found.items() if MEMORY <= one.keys()}
    assert followed == set(found) - set(INTERPOLATORS)
    text = (tmp_path / "cost.md").read_text()
    assert all(f"`{name}`" in text for name in found)


@pytest.mark.usefixtures("uncounted")
def test_measured_times_have_a_file_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    times = [{"variant": "tips", "device": "cpu", "speed": 0.02, "speed_given_frames": 0.1}]
    monkeypatch.setattr(cost, "speeds", lambda *_: times)
    few = open_networks(EXPERIMENTS)._replace(names=("hrnet", "tips", "tips-ms"))
    monkeypatch.setattr(cost, "open_networks", lambda _: few)
    files = [tmp_path / name for name in ("cost.json", "cost.md", "times.json")]
    cost.run(*files, measure=True)
    assert capsys.readouterr().out.splitlines() == list(map(str, files))
    assert cost.records.read_json(files[2]) == times
    counted = {one["variant"]: one for one in cost.records.read_json(files[0])}
    assert times[0].items() < counted["tips"].items()
    assert "speed" not in counted["tips-ms"]
    assert "measured on cpu" in files[1].read_text()


@pytest.mark.usefixtures("uncounted")
def test_damaged_times_stop_it_before_anything_is_counted(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("cost.json", "cost.md", "times.json")]
    files[2].write_text('[{"variant": "tips"}]')
    with pytest.raises(RecordError, match=r"times\.json: .*; delete it, or run `tips cost --meas"):
        cost.run(*files)
    assert not files[0].exists()


MEMORY = {"inference_mib", "training_mib", "checkpointed_mib"}
FREE = Macs(dict.fromkeys(("convolution", "linear", "attention", "sampling"), 0), {"backbone": 0})


def test_variants_of_the_full_size_are_no_trainings_elsewhere() -> None:
    full_size = {path.stem for path in (EXPERIMENTS / ADDED).glob("*.yaml")}
    assert full_size <= set(load_study("paper", EXPERIMENTS, "none").variants)
    for scale in ("smoke", "clip", "desk"):
        assert ADDED in study_of(scale).scale.without
        assert not full_size & set(study_of(scale).variants)


def test_every_second_stage_has_its_own_stage_one() -> None:
    study = load_study("paper", EXPERIMENTS, "none")
    found = {
        name: study.stage_one(name)
        for name, variant in study.variants.items()
        if variant.experiment.model != "single_frame"
    }
    assert found.pop("tips-ms") == "hrnet-ms"
    assert found.pop("tips-vit") == "vitpose"
    assert set(found.values()) == {"hrnet"}
