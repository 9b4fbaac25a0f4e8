import json

import numpy as np
import pytest

from tips.evaluation.average_precision import average_precision, subset
from tips.evaluation.matching import match
from tips.evaluation.true_motion import (
    clean_frames,
    degraded_frames,
    hidden_joints,
    read_true_motion,
)
from tips.records import RecordError


def raw(frames=3, tracks=(0, 1)):
    joints = [[[float(j), float(f)] for j in range(15)] for f in range(frames)]
    between = {s: joints[:-1] for s in ("0.25", "0.5", "0.75")}
    visible = [[j != f for j in range(15)] for f in range(frames)]
    person = {"first": 0, "joints": joints, "between": between, "visible": visible}
    return {
        "people": [person | {"track": track} for track in tracks],
        "degraded": [False, True, False][:frames],
    }


def written(tmp_path, data):
    (tmp_path / "a.json").write_text(json.dumps(data))
    return tmp_path / "a.json"


def test_reads_people_by_track(tmp_path):
    data = raw()
    data["people"][0]["joints"][1][4] = None
    motion = read_true_motion(written(tmp_path, data))
    assert motion.degraded.tolist() == [False, True, False]
    person = motion.people[0]
    assert person.joints.shape == (3, 15, 2)
    assert np.isnan(person.joints[1, 4]).all()
    assert sorted(person.between) == [0.25, 0.5, 0.75]
    assert person.between[0.5][1, 3].tolist() == [3, 1]
    assert np.flatnonzero(~person.visible[2]).tolist() == [2]


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["degraded"], None, "no 'degraded'"),
        (["people"], {"0": {}}, r"people\[0\]: malformed"),
        (["people", 1, "track"], 0, r"people\[1\]: track 0 repeats"),
        (["people", 0, "first"], 1, r"people\[0\]: frames 1 to 3 of 3"),
        (["people", 0, "joints"], [[None] * 15], r"people\[0\].visible: needs \(1, 15\)"),
        (["people", 0, "joints"], [[[0.0]] * 15] * 3, r"joints: needs \(3, 15, 2\)"),
        (["people", 0, "joints"], [[["a", 0.0]] * 15] * 3, r"people\[0\]: malformed"),
        (["people", 0, "visible"], [True], r"visible: needs \(3, 15\)"),
        (["people", 0, "between", "0.5"], [], r"between\[0.5\]: needs \(2, 15, 2\)"),
        (["people", 0, "between"], None, r"people\[0\]: no 'between'"),
    ],
)
def test_refuses_naming_file_and_person(tmp_path, path, value, message):
    data = raw()
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    if value is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    with pytest.raises(RecordError, match=message) as caught:
        read_true_motion(written(tmp_path, data))
    assert "a.json" in str(caught.value)


def test_a_person_may_be_there_for_a_part_only(tmp_path):
    data = raw(frames=1, tracks=(4,)) | {"degraded": [False, True, False]}
    data["people"][0]["first"] = 1
    person = read_true_motion(written(tmp_path, data)).people[4]
    assert np.isnan(person.joints[[0, 2]]).all()
    assert np.isfinite(person.joints[1]).all()
    assert np.isnan(person.between[0.5]).all()
    assert person.visible.any(axis=1).tolist() == [False, True, False]


@pytest.fixture
def scene(scenes, tmp_path):
    truth = [scenes.truth_frame(scenes.GRID, scenes.GRID + 500) for _ in range(3)]
    found = [scenes.found_frame(scenes.GRID, scenes.GRID + 500) for _ in range(3)]
    return [scenes.clip(truth, found)], {"a": read_true_motion(written(tmp_path, raw()))}


def test_masks(scene):
    clips, truth = scene
    evidence = match(clips)

    def counts(chosen):
        return average_precision(subset(evidence, chosen)).n_truth.tolist()

    assert counts(degraded_frames(clips, truth)) == [2] * 15
    assert counts(clean_frames(clips, truth)) == [4] * 15
    assert counts(hidden_joints(clips, truth)) == [2, 2, 2] + [0] * 12


def test_positions_are_those_of_the_sequence(scene):
    clips, truth = scene
    late = clips[0]._replace(positions=(1,), truth=clips[0].truth[1:2], found=clips[0].found[1:2])
    assert degraded_frames([late], truth).frames[0].tolist() == [True]
    assert np.flatnonzero(hidden_joints([late], truth).truth[0][0][0]).tolist() == [1]


def test_refuses_sequences_frames_and_tracks_without_truth(scene):
    clips, truth = scene
    with pytest.raises(RecordError, match="no true motion of sequence a"):
        clean_frames(clips, {})
    later = clips[0]._replace(positions=(0, 1, 3))
    with pytest.raises(RecordError, match="3 frames, but frame 3"):
        clean_frames([later], truth)
    alone = {"a": truth["a"]._replace(people={0: truth["a"].people[0]})}
    with pytest.raises(RecordError, match="a, frame 0: no true motion of track 1"):
        hidden_joints(clips, alone)
