import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slow_poseval import slow_evaluation

from tips import records, skeleton
from tips.evaluation.average_precision import average_precision
from tips.evaluation.matching import match
from tips.evaluation.people import file_name, from_records
from tips.evaluation.poseval_files import stream_found, write_found, write_truth
from tips.evaluation.poseval_reader import read_folders
from tips.records import RecordError, atomic

seeds = st.integers(0, 10_000)
styles = pytest.mark.parametrize("style", [17, 18])


NOBODY = (records.Person(track=7, box=(0, 0, 9, 9), head=None, joints=(None,) * 15),)


def odd(annotations, predictions):
    """Adds what is rare: a joint at the origin, no numbers, equal scores, large track ids."""
    first, *others = predictions.sequences
    pose = first.frames[0].poses[0] if first.frames and first.frames[0].poses else None
    if pose is not None:
        joints = ((0.0, 0.0), (float("nan"), 1.0), (-5.0, 3.0), *pose.joints[3:])
        strange = pose.model_copy(update={"joints": joints, "scores": (0.5,) * 15})
        frame = first.frames[0].model_copy(update={"poses": (strange, *first.frames[0].poses)})
        first = first.model_copy(update={"frames": (frame, *first.frames[1:])})
    sequence = annotations.sequences[0]
    frames = tuple(
        frame.model_copy(
            update={
                "people": tuple(
                    person.model_copy(update={"track": person.track + 12_000})
                    for person in frame.people
                )
                + NOBODY * (frame.people != ())
            }
        )
        for frame in sequence.frames
    )
    sequence = sequence.model_copy(update={"frames": frames})
    rest = annotations.sequences[1:]
    return (
        annotations.model_copy(update={"sequences": (sequence, *rest)}),
        predictions.model_copy(update={"sequences": (first, *others)}),
    )


@styles
@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=seeds)
def test_round_trip_keeps_every_number(scenes, tmp_path_factory, style, seed):
    annotations, predictions = odd(*scenes.random_records(np.random.default_rng(seed)))
    folder = tmp_path_factory.mktemp("trip")
    write_truth(annotations, folder / "gt", style)
    write_found(predictions, annotations, folder / "pred", style)
    direct = average_precision(match(from_records(annotations, predictions)))
    read = average_precision(match(read_folders(folder / "gt", folder / "pred")))
    for one, other in zip(direct, read, strict=True):
        np.testing.assert_array_equal(one, other)
    slow = slow_evaluation(list(zip(files(folder / "gt"), files(folder / "pred"), strict=True)))
    np.testing.assert_allclose(slow["ap"], direct.ap, rtol=0, atol=1e-9)
    np.testing.assert_allclose(slow["precision"], direct.precision, rtol=0, atol=1e-9)


@styles
def test_names_with_folders_keep_the_order_of_ties(scenes, tmp_path, style):
    annotations, predictions = scenes.random_records(np.random.default_rng(5))
    names = dict(zip((s.name for s in annotations.sequences), ("a/b", "a-b", "a"), strict=True))
    flat = tuple(
        records.FramePoses(
            frame=f.frame,
            poses=tuple(p.model_copy(update={"scores": (0.5,) * 15}) for p in f.poses),
        )
        for f in predictions.sequences[0].frames
    )
    predictions = predictions.model_copy(
        update={
            "sequences": tuple(
                s.model_copy(update={"name": names[s.name], "frames": flat})
                for s in predictions.sequences
            )
        }
    )
    annotations = annotations.model_copy(
        update={
            "sequences": tuple(
                s.model_copy(update={"name": names[s.name]}) for s in annotations.sequences
            )
        }
    )
    write_truth(annotations, tmp_path / "gt", style)
    write_found(predictions, annotations, tmp_path / "pred", style)
    direct = average_precision(match(from_records(annotations, predictions)))
    read = average_precision(match(read_folders(tmp_path / "gt", tmp_path / "pred")))
    np.testing.assert_array_equal(direct.ap, read.ap)


def files(folder):
    return [json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))]


@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=seeds)
def test_poseval_accepts_the_18_style(scenes, tmp_path_factory, seed):
    """Every condition that poseval's conversion and loading have."""
    annotations, predictions = odd(*scenes.random_records(np.random.default_rng(seed)))
    folder = tmp_path_factory.mktemp("accepted")
    write_truth(annotations, folder / "gt")
    write_found(predictions, annotations, folder / "pred")
    assert {f.name for f in (folder / "gt").iterdir()} == {
        f.name for f in (folder / "pred").iterdir()
    }
    for truth, found in zip(files(folder / "gt"), files(folder / "pred"), strict=True):
        assert len(truth["images"]) == len(found["images"])
        for data in (truth, found):
            (category,) = data["categories"]
            assert category["name"] == "person"
            assert len(category["keypoints"]) in (15, 17)
            assert set(skeleton.JOINTS) <= set(category["keypoints"])
            videos = set()
            for image in data["images"]:
                *_, video, frame = image["file_name"].split("/")
                number, source = video.split("_")[:2]
                assert source in ("mpii", "bonn", "mpiinew")
                assert 0 <= int(frame.split(".")[0]) < 10_000
                videos.add(int(number))
                tracks = [
                    a["track_id"] for a in data["annotations"] if a["image_id"] == image["id"]
                ]
                assert all(0 <= track < 10_000 for track in tracks)
                if data is found:
                    assert len(tracks) == len(set(tracks)) > 0
            assert len(videos) == 1
            for person in data["annotations"]:
                assert len(person["keypoints"]) == 51
                assert len(person["scores"]) in (0, 17)
        assert all("bbox_head" in person for person in truth["annotations"])


@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=seeds)
def test_poseval_accepts_the_17_style(scenes, tmp_path_factory, seed):
    annotations, predictions = odd(*scenes.random_records(np.random.default_rng(seed)))
    folder = tmp_path_factory.mktemp("accepted")
    write_truth(annotations, folder / "gt", 17)
    write_found(predictions, annotations, folder / "pred", 17)
    for truth, found in zip(files(folder / "gt"), files(folder / "pred"), strict=True):
        assert len(truth["annolist"]) == len(found["annolist"])
        for frame in found["annolist"]:
            assert frame["image"][0]["name"]
            tracks = [person["track_id"][0] for person in frame["annorect"]]
            assert tracks == list(range(len(tracks)))
            assert tracks
            for person in frame["annorect"]:
                ids = [point["id"][0] for point in person["annopoints"][0]["point"]]
                assert ids in ([], list(range(15)))
                assert all("score" in point for point in person["annopoints"][0]["point"])
                assert len(person["score"]) == 1
        for frame in truth["annolist"]:
            for person in frame["annorect"]:
                assert 0 <= person["track_id"][0] < 10_000
                assert all(len(person[key]) == 1 for key in ("x1", "y1", "x2", "y2"))


def test_every_frame_is_written_and_empty_ones_hold_a_dummy(scenes, tmp_path):
    annotations, predictions = scenes.random_records(np.random.default_rng(1))
    write_found(predictions, annotations, tmp_path)
    data = json.loads((tmp_path / "000001_mpii_test.json").read_text())
    assert [image["id"] for image in data["images"]] == [1000, 1001, 1002, 1003]
    assert [a["image_id"] for a in data["annotations"]] == [1000, 1001, 1002, 1003]
    assert {a["score"] for a in data["annotations"]} == {-100}
    assert not any(any(a["keypoints"]) for a in data["annotations"])
    write_found(predictions, annotations, tmp_path, 17)
    data = json.loads((tmp_path / "000001_mpii_test.json").read_text())
    dummy = {"track_id": [0], "annopoints": [{"point": []}], "score": [-100]}
    assert [frame["annorect"] for frame in data["annolist"]] == [[dummy]] * 4


def test_file_names_that_poseval_cannot_parse_are_replaced(scenes, tmp_path):
    annotations, _ = scenes.random_records(np.random.default_rng(2), sequences=1)
    sequence = annotations.sequences[0]
    frames = tuple(f.model_copy(update={"file": f"x/{f.id}.png"}) for f in sequence.frames)
    sequence = sequence.model_copy(update={"name": "catch/one", "frames": frames})
    annotations = annotations.model_copy(update={"sequences": (sequence,)})
    write_truth(annotations, tmp_path)
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
    write_truth(annotations, tmp_path)
    images = json.loads((tmp_path / "000000_mpii_test.json").read_text())["images"]
    assert {image["file_name"].split("/")[2] for image in images} == {"000000_bonn_test"}


def test_refuses_joints_without_head(scenes, tmp_path):
    annotations, _ = scenes.random_records(np.random.default_rng(3), sequences=1)
    (sequence,) = annotations.sequences
    frame = sequence.frames[2]
    headless = frame.people[1].model_copy(update={"head": None})
    frame = frame.model_copy(update={"people": (frame.people[0], headless)})
    sequence = sequence.model_copy(update={"frames": (*sequence.frames[:2], frame)})
    with pytest.raises(RecordError, match=r"000002\.jpg: track 1 has joints but no head"):
        write_truth(annotations.model_copy(update={"sequences": (sequence,)}), tmp_path)


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
        write_truth(same, tmp_path)
    frames = (one.frames[0], one.frames[0])
    twice = annotations.model_copy(
        update={"sequences": (one.model_copy(update={"frames": frames}),)}
    )
    with pytest.raises(RecordError, match="frame ids repeat"):
        write_truth(twice, tmp_path)


def test_a_stream_is_what_a_sequence_at_once_would_be(tmp_path):
    def pose(track):
        joints = tuple((float(track), float(k)) for k in range(15))
        return records.Pose(track=track, score=0.5, joints=joints, scores=(0.25,) * 15)

    frames = [[pose(0)], [], [pose(0), pose(1)]]
    files = [f"a/{k}.png" for k in range(3)]
    box = (1.0, 2.0, 3.0, 4.0)
    with atomic(tmp_path / "stream/a.json") as stream, stream_found(stream, files) as add:
        for people in frames:
            add([(person, box) for person in people])
        assert list((tmp_path / "stream").glob("a.json")) == []
    listed = tuple(records.Frame(file=f, id=k, labelled=True) for k, f in enumerate(files))
    clip = records.Sequence(name="a", width=9, height=9, motion="a", frames=listed)
    truth = records.Annotations(dataset="d", split="val", root=".", sequences=(clip,))
    said = tuple(records.FramePoses(frame=k, poses=tuple(p)) for k, p in enumerate(frames))
    rows = (records.SequencePredictions(name="a", frames=said),)
    found = records.Predictions(variant="v", seed=0, boxes="gt", sequences=rows)
    write_found(found, truth, tmp_path / "whole")
    streamed, whole = (
        json.loads((tmp_path / folder / "a.json").read_text()) for folder in ("stream", "whole")
    )
    for row in streamed["annotations"]:
        assert row.pop("bbox", None) == (list(box) if row["score"] > 0 else None)
    for image in [*streamed["images"], *whole["images"]]:
        del image["is_labeled"]  # of the truth, which nobody has here
    assert streamed == whole


def test_a_stream_keeps_track_ids(tmp_path):
    joints, box = ((1.0, 1.0),) * 15, (0.0, 0.0, 9.0, 9.0)
    people = [
        (records.Pose(track=track, score=1, joints=joints, scores=(1.0,) * 15), box)
        for track in (7, 3)
    ]
    with (tmp_path / "a.json").open("w") as stream, stream_found(stream, ["0.jpg"]) as add:
        add(people)
    rows = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert [row["track_id"] for row in rows] == [7, 3]
