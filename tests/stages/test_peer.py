"""A peer that answers by construction, through the whole study: its folder, its guest, its row."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_study
from tiny_study import POSE, ROOT, SCALE, STUDY, command

from tips.config import load_study
from tips.config.guests import load_guests
from tips.instances import Key
from tips.paths import Paths, study_paths
from tips.peers import networks
from tips.peers.known import PEERS
from tips.peers.networks import Answer, Ask
from tips.records import Box, Predictions, read, read_json
from tips.skeleton import INDEX, JHMDB, POSETRACK
from tips.stages.peer import as_pose
from tips.tables.guest_rows import shown

PEER = "movenet-thunder"
KEY = Key("val", "a", 0, 1, (0.0, 0.0, 9.0, 9.0), None, 4, 0.5)
LACKING = ("head_top", "head_bottom")


def knowing(name: str, folder: Path, enlarge: float) -> Ask:
    """Knows where people of the tiny study have their joints; anything else is at its corner."""
    assert enlarge == 1.25

    def ask(image: np.ndarray, box: Box) -> Answer:
        assert image.shape == (tiny_study.HEIGHT, tiny_study.WIDTH, 3)
        joints = np.zeros((33, 2))
        for joint, row in PEERS[name].places.items():
            joints[row] = POSE[INDEX[joint]] * box[2:] + box[:2]
        return Answer(joints, np.full(33, 0.8))

    return ask


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    folder = tmp_path_factory.mktemp("peer")
    tiny_study.write(folder)
    with tiny_study.prepared(folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(networks, "load", knowing)
            assert command("stage", "peer", "--guest", PEER, *STUDY) == 0
        assert command("stage", "guest", "--guest", PEER, *STUDY) == 0
        yield study_paths(load_study(SCALE, Path("experiments"), ROOT).scale)


def test_the_joints_that_it_does_not_know_are_absent(paths: Paths) -> None:
    found = read(Predictions, paths.guest(PEER, "predictions.json"))
    poses = [pose for part in found.sequences for frame in part.frames for pose in frame.poses]
    assert len(poses) == 2 * 2 * (tiny_study.FRAMES - 1)
    for pose in poses:
        assert {name for name, at in INDEX.items() if pose.joints[at] is None} == {*LACKING}
        assert pose.scores[INDEX["nose"]] == 0.8


def test_a_peer_that_knows_everything_else_has_100_there(paths: Paths) -> None:
    metrics = read_json(paths.guest(PEER, "metrics.json"))
    assert {name: joint["ap"] for name, joint in metrics["joints"].items()} == {
        name: 0.0 if name in LACKING else 100.0 for name in INDEX
    }
    people = 2 * 2 * (tiny_study.FRAMES - 1)
    assert metrics["people"] == {"found": people, "annotated": people}


def test_a_peer_is_shown_once_somebody_has_asked_for_it(paths: Paths) -> None:
    study = load_study(SCALE, Path("experiments"), ROOT)
    guests = load_guests(SCALE, study.scale, Path("experiments"))
    assert set(guests) == set(PEERS)
    assert list(shown(guests, paths)) == [PEER]


def test_an_unknown_peer_is_one_line(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("stage", "peer", "--guest", "movenet", *STUDY) == 2
    message = capsys.readouterr().err
    assert "--guest must be one of blazepose, movenet-lightning, movenet-thunder" in message
    assert message.count("\n") == 1


def test_without_its_files_it_says_which(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("stage", "peer", "--guest", PEER, *STUDY) == 2
    assert "peers/movenet-thunder.json: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("body", [POSETRACK, JHMDB])
@pytest.mark.parametrize("name", PEERS)
def test_joints_go_by_their_names(name: str, body: type[POSETRACK]) -> None:
    answer = Answer(np.arange(66.0).reshape(33, 2), np.linspace(0, 1, 33))
    pose = as_pose(answer, PEERS[name], body, KEY, 0.5)
    assert (pose.track, pose.score) == (4, 0.5)
    for joint, point, score in zip(body.joints, pose.joints, pose.scores, strict=True):
        row = PEERS[name].places.get(joint)
        assert row is not None or joint not in POSETRACK.joints or joint in LACKING
        assert point == (None if row is None else (2 * row, 2 * row + 1))
        assert score == pytest.approx(0 if row is None else row / 32 / 2, abs=1e-6)
