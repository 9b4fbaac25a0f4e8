"""A peer that answers by construction, through the whole study: predictions, table, report."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_study
from tiny_study import POSE, ROOT, SCALE, STUDY, command
from tips.tables.peers import PEER_ROWS

from tips import records
from tips.config import load_study
from tips.instances import Key
from tips.paths import Paths, study_paths
from tips.peers import networks
from tips.peers.known import JOINTS, PEERS
from tips.peers.networks import Answer, Ask
from tips.records import Box, Predictions
from tips.skeleton import INDEX, JHMDB, POSETRACK
from tips.stages.peer import as_pose

PEER = "movenet-thunder"
KEY = Key("val", "a", 0, 1, (0.0, 0.0, 9.0, 9.0), None, 4, 0.5)


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
            assert command("stage", "peer", "--peer", PEER, *STUDY) == 0
        assert command("stage", "mean-pose", *STUDY) == 0
        assert command("stage", "tabulate-peers", *STUDY) == 0
        yield study_paths(load_study(SCALE, Path("experiments"), ROOT).scale)


def test_the_joints_that_it_does_not_know_are_absent(paths: Paths) -> None:
    found = records.read(Predictions, paths.predictions(PEER, "0", "gt"))
    poses = [pose for part in found.sequences for frame in part.frames for pose in frame.poses]
    assert len(poses) == 2 * 2 * (tiny_study.FRAMES - 1)
    for pose in poses:
        absent = {name for name, at in INDEX.items() if pose.joints[at] is None}
        assert absent == {"head_top", "head_bottom"}
        assert [pose.scores[INDEX[name]] for name in ("head_top", "nose")] == [0.0, 0.8]


def test_a_peer_that_knows_everything_else_has_100(paths: Paths) -> None:
    rows = {row.row: row.cells() for row in PEER_ROWS.read(paths)}
    peer = rows[PEERS[PEER].label]
    assert [peer[part] for part in ("Head", "Wrist", "Ankle", "mean")] == ["100.00"] * 4
    assert (peer["n_seeds"], peer["status"]) == ("1", "done")
    assert "photographs" in peer["trained_on"]
    assert rows["MoveNet Lightning"]["mean"] == rows["full model"]["status"] == "missing"
    mean_pose = rows["mean pose in the box, no network"]
    assert mean_pose["status"] == "done"
    assert mean_pose["trained_on"] == "this study's data"


def test_an_unknown_peer_is_one_line(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("stage", "peer", "--peer", "movenet", *STUDY) == 2
    message = capsys.readouterr().err
    assert "--peer must be one of movenet-thunder, movenet-lightning, blazepose" in message
    assert message.count("\n") == 1


def test_without_its_files_it_says_which(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("stage", "peer", "--peer", PEER, *STUDY) == 2
    assert "peers/movenet-thunder.json: no such file" in capsys.readouterr().err


@pytest.mark.parametrize("body", [POSETRACK, JHMDB])
@pytest.mark.parametrize("name", PEERS)
def test_joints_go_by_their_names(name: str, body: type[POSETRACK]) -> None:
    answer = Answer(np.arange(66.0).reshape(33, 2), np.linspace(0, 1, 33))
    pose = as_pose(answer, PEERS[name], body, KEY, 0.5)
    assert (pose.track, pose.score) == (4, 0.5)
    for joint, point, score in zip(body.joints, pose.joints, pose.scores, strict=True):
        row = PEERS[name].places.get(joint)
        assert (row is None) == (joint not in JOINTS)
        assert point == (None if row is None else (2 * row, 2 * row + 1))
        assert score == pytest.approx(0 if row is None else row / 32 / 2, abs=1e-6)
