"""Files of experiments/guests: what they may say, and one line for what they must not."""

import shutil
from pathlib import Path

import pytest
import yaml

from tips.config import ConfigError, Scale, load_scale, load_study
from tips.config.guests import load_guests
from tips.peers.known import PEERS

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
MINE = {
    "title": "Mine",
    "folder": "/elsewhere/mine",
    "origin": "a paper",
    "frames": 3,
    "trained_on": "COCO",
    "boxes": "its own",
    "made": "self-reported",
}


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    shutil.copytree(EXPERIMENTS, tmp_path / "experiments")
    return tmp_path / "experiments"


def invite(experiments: Path, name: str = "mine", **more: object) -> None:
    told = {key: value for key, value in (MINE | more).items() if value is not None}
    (experiments / "guests" / f"{name}.yaml").write_text(yaml.safe_dump(told))


def scale(name: str, experiments: Path) -> Scale:
    return load_scale(name, experiments, None if name in ("smoke", "desk") else "anywhere")


def names(experiments: Path, of: str = "smoke") -> set[str]:
    return set(load_guests(of, scale(of, experiments), experiments))


def test_every_peer_is_a_committed_guest_and_a_guest_is_no_variant() -> None:
    found = load_guests("smoke", scale("smoke", EXPERIMENTS), EXPERIMENTS)
    assert {one.peer for one in found.values() if one.peer} == set(PEERS)
    assert not set(found) & set(load_study("smoke", EXPERIMENTS).variants)


def test_a_guest_is_part_of_the_studies_that_it_is_for(experiments: Path) -> None:
    invite(experiments, "anywhere")
    invite(experiments, "narrow", scales=["desk", "night"])
    (experiments / "guests/.mine.yaml").write_text("an editor's: [")
    assert names(experiments) - set(PEERS) == {"anywhere"}
    assert names(experiments, "desk") - set(PEERS) == {"anywhere", "narrow"}
    assert names(experiments, "paper-posetrack18") - set(PEERS) == {"anywhere"}


def test_files_cannot_hold_the_joints_of_jhmdb(experiments: Path) -> None:
    invite(experiments)
    assert names(experiments, "paper-jhmdb-1") == set()


def test_without_the_folder_there_are_none(experiments: Path) -> None:
    shutil.rmtree(experiments / "guests")
    assert names(experiments) == set()


@pytest.mark.parametrize(
    ("name", "more", "says"),
    [
        ("tips", {}, "guests/tips.yaml: the name of "),
        ("Window-3", {}, "rename the file"),  # of a folder of experiments/, in other case
        ("mean-pose", {}, "guests/mean-pose.yaml: the name of mean-pose"),
        ("a b", {}, "guests/a b.yaml: the file's name: 'a b' cannot be used: a name has 1 to 64"),
        ("mine", {"folder": None}, "needs one of `folder` and `peer`, and not both"),
        ("mine", {"peer": "blazepose"}, "needs one of `folder` and `peer`, and not both"),
        ("mine", {"folder": None, "peer": "openpose"}, "guests/mine.yaml: peer: "),
        ("mine", {"origin": None}, "guests/mine.yaml: origin: this key must be given"),
        (
            "mine",
            {"origins": "x"},
            "guests/mine.yaml: origins: unknown key; did you mean 'origin'?",
        ),
        ("mine", {"made": "there"}, "guests/mine.yaml: made: "),
        ("mine", {"frames": 0}, "guests/mine.yaml: frames: "),
        ("mine", {"frames": True}, "guests/mine.yaml: frames: must be no true here"),
        ("mine", {"scales": ["dsk"]}, "scales: unknown scale 'dsk'; did you mean 'desk'?"),
    ],
)
def test_a_mistake_is_one_line(
    experiments: Path, name: str, more: dict[str, object], says: str
) -> None:
    invite(experiments, name, **more)
    with pytest.raises(ConfigError) as refused:
        names(experiments)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
