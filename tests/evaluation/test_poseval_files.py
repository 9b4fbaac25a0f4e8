import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips.evaluation.average_precision import average_precision
from tips.evaluation.matching import match
from tips.evaluation.people import from_records
from tips.evaluation.poseval_files import file_name, write_18, write_truth_18
from tips.evaluation.poseval_reader import read_folders
from tips.records import RecordError


@settings(deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_round_trip_keeps_every_number(scenes, tmp_path_factory, seed):
    annotations, predictions = scenes.random_records(np.random.default_rng(seed))
    folder = tmp_path_factory.mktemp("trip")
    write_truth_18(annotations, folder / "gt")
    write_18(predictions, annotations, folder / "pred")
    direct = average_precision(match(from_records(annotations, predictions)))
    read = average_precision(match(read_folders(folder / "gt", folder / "pred")))
    for one, other in zip(direct, read, strict=True):
        np.testing.assert_array_equal(one, other)


def test_every_frame_is_written_and_empty_ones_hold_a_dummy(scenes, tmp_path):
    annotations, predictions = scenes.random_records(np.random.default_rng(1))
    write_18(predictions, annotations, tmp_path)
    data = json.loads((tmp_path / "000001_mpii_test.json").read_text())
    assert [image["id"] for image in data["images"]] == [1000, 1001, 1002, 1003]
    assert [a["image_id"] for a in data["annotations"]] == [1000, 1001, 1002, 1003]
    assert {a["score"] for a in data["annotations"]} == {-100}
    assert not any(any(a["keypoints"]) for a in data["annotations"])
    full = json.loads((tmp_path / "000002_mpii_test.json").read_text())
    for image in full["images"]:
        tracks = [a["track_id"] for a in full["annotations"] if a["image_id"] == image["id"]]
        assert tracks == list(range(len(tracks)))


def test_file_names_that_poseval_cannot_parse_are_replaced(scenes, tmp_path):
    annotations, _ = scenes.random_records(np.random.default_rng(2), sequences=1)
    sequence = annotations.sequences[0]
    frames = tuple(f.model_copy(update={"file": f"x/{f.id}.png"}) for f in sequence.frames)
    sequence = sequence.model_copy(update={"name": "catch/one", "frames": frames})
    annotations = annotations.model_copy(update={"sequences": (sequence,)})
    write_truth_18(annotations, tmp_path)
    assert file_name("catch/one") == "catch__one.json"
    data = json.loads((tmp_path / "catch__one.json").read_text())
    assert data["images"][2]["file_name"] == "images/val/000000_bonn_test/000002.jpg"


def test_frames_of_one_file_are_one_video(scenes, tmp_path):
    annotations, _ = scenes.random_records(np.random.default_rng(2), sequences=1)
    sequence = annotations.sequences[0]
    frames = list(sequence.frames)
    frames[3] = frames[3].model_copy(update={"file": "images/val/000009_mpii_test/000003.jpg"})
    sequence = sequence.model_copy(update={"frames": tuple(frames)})
    annotations = annotations.model_copy(update={"sequences": (sequence,)})
    write_truth_18(annotations, tmp_path)
    images = json.loads((tmp_path / "000000_mpii_test.json").read_text())["images"]
    assert {image["file_name"].split("/")[2] for image in images} == {"000000_bonn_test"}


def test_refuses_names_and_ids_that_repeat(scenes, tmp_path):
    annotations, _ = scenes.random_records(np.random.default_rng(3), sequences=2)
    one, two = annotations.sequences
    same = annotations.model_copy(
        update={
            "sequences": (
                one.model_copy(update={"name": "a/b"}),
                two.model_copy(update={"name": "a__b"}),
            )
        }
    )
    with pytest.raises(RecordError, match=r"two sequences would be a__b.json"):
        write_truth_18(same, tmp_path)
    frames = (one.frames[0], one.frames[0])
    twice = annotations.model_copy(
        update={"sequences": (one.model_copy(update={"frames": frames}),)}
    )
    with pytest.raises(RecordError, match="frame ids repeat"):
        write_truth_18(twice, tmp_path)
