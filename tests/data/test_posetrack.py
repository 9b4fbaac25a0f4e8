import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tips import skeleton
from tips.data.posetrack import read_sequence, read_split
from tips.ops.image import write_jpeg
from tips.records import RecordError

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared")) / "samples"
Raw = dict[str, Any]

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared material")


def slots(**joints: tuple[float, float, int]) -> list[float]:
    """51 numbers in the order of the file's categories."""
    return [v for name in skeleton.SLOTS_17 for v in joints.get(name, (0, 0, 0))]


def raw_file(frames: int = 3) -> Raw:
    return {
        "images": [
            {
                "id": 100 + k,
                "file_name": f"images/val/a/{k:06d}.jpg",
                "is_labeled": k == 1,
                "ignore_regions_x": [[0, 4, 4]] if k == 1 else [],
                "ignore_regions_y": [[0, 0, 4]] if k == 1 else [],
            }
            for k in range(frames)
        ],
        "annotations": [
            {
                "image_id": 101,
                "track_id": 7,
                "bbox": [1.0, 2.0, 30.0, 60.0],
                "bbox_head": [10, 2, 8, 9],
                "keypoints": slots(nose=(12, 5, 1), left_ear=(9, 9, 1), right_ankle=(20, 60, 0)),
            }
        ],
        "categories": [{"name": "person", "keypoints": list(skeleton.SLOTS_17)}],
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes one sequence file and its first image; returns the json's path."""

    def make(raw: Raw, name: str = "a", split: str = "val") -> Path:
        path = tmp_path / "annotations" / split / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(raw), encoding="utf-8")
        for image in raw.get("images", [])[:1]:
            write_jpeg(np.zeros((48, 64, 3), np.uint8), tmp_path / image["file_name"])
        return path

    return make


def test_a_file_becomes_frames_and_people(tmp_path: Path, write: Callable[..., Path]) -> None:
    sequence = read_sequence(tmp_path, write(raw_file()))
    assert (sequence.name, sequence.width, sequence.height) == ("a", 64, 48)
    assert [frame.labelled for frame in sequence.frames] == [False, True, False]
    assert sequence.frames[1].ignore == (((0, 0), (4, 0), (4, 4)),)
    (person,) = sequence.frames[1].people
    assert (person.track, person.box, person.head) == (7, (1, 2, 30, 60), (10, 2, 8, 9))
    named = {skeleton.JOINTS[i]: p for i, p in enumerate(person.joints) if p is not None}
    # The ear has no place among the 15; v = 0 with coordinates counts, as in the evaluator.
    assert named == {"nose": (12, 5), "right_ankle": (20, 60)}


def test_slots_go_by_name_not_by_place(tmp_path: Path, write: Callable[..., Path]) -> None:
    raw = raw_file()
    raw["categories"][0]["keypoints"].reverse()
    triples = np.array(raw["annotations"][0]["keypoints"]).reshape(-1, 3)
    raw["annotations"][0]["keypoints"] = triples[::-1].ravel().tolist()
    swapped = read_sequence(tmp_path, write(raw))
    assert swapped == read_sequence(tmp_path, write(raw_file()))


def test_a_person_without_a_box_gets_the_extent_of_its_joints(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    raw = raw_file()
    del raw["annotations"][0]["bbox"], raw["annotations"][0]["bbox_head"]
    (person,) = read_sequence(tmp_path, write(raw)).frames[1].people
    assert person.head is None
    # x 12..20, y 5..60: 9 x 56 px, enlarged 1.2 times about the centre.
    assert person.box == pytest.approx((11.1, -0.6, 10.8, 67.2))


def test_a_box_without_area_is_none(tmp_path: Path, write: Callable[..., Path]) -> None:
    raw = raw_file()
    raw["annotations"][0]["bbox"] = [1, 2, 0, 60]
    (person,) = read_sequence(tmp_path, write(raw)).frames[1].people
    assert person.box == pytest.approx((11.1, -0.6, 10.8, 67.2))
    del raw["annotations"][0]["bbox_head"]
    raw["annotations"][0]["keypoints"] = [0] * len(raw["annotations"][0]["keypoints"])
    assert read_sequence(tmp_path, write(raw)).frames[1].people == ()


def drop(*keys: str | int) -> Callable[[Raw], None]:
    def edit(raw: Raw) -> None:
        part: Any = raw
        for key in keys[:-1]:
            part = part[key]
        del part[keys[-1]]

    return edit


def put(value: Any, *keys: str | int) -> Callable[[Raw], None]:
    def edit(raw: Raw) -> None:
        part: Any = raw
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (drop("images"), "images: Field required"),
        (put([], "images"), "annotations.0: image_id 101 is not among the images"),
        (drop("images", 2, "id"), "images.2.id: Field required"),
        (put("x", "images", 1, "id"), "images.1.id: Input should be a valid integer"),
        (put([[1, 2]], "images", 2, "ignore_regions_x"), "images.2: ignore_regions_x and ignore_"),
        (put(100, "images", 2, "id"), "images.2: id 100 occurs twice"),
        (put([], "categories"), "categories: one category 'person' expected"),
        (put(["nose"], "categories", 0, "keypoints"), "categories.0.keypoints: 'right_ankle' is"),
        (drop("annotations", 0, "track_id"), "annotations.0.track_id: Field required"),
        (put([1.0] * 45, "annotations", 0, "keypoints"), "annotations.0: keypoints: 51 numbers"),
        (put([1, 2, 3], "annotations", 0, "bbox"), "annotations.0.bbox.3: Field required"),
        (put(["a"] * 51, "annotations", 0, "keypoints"), "annotations.0.keypoints.0: Input should"),
        (put(999, "annotations", 0, "image_id"), "annotations.0: image_id 999 is not among the"),
        (put("images/val/a/gone.jpg", "images", 0, "file_name"), None),
    ],
)
def test_malformed_files_are_refused_by_file_and_record(
    tmp_path: Path,
    write: Callable[..., Path],
    edit: Callable[[Raw], None],
    says: str | None,
) -> None:
    raw = raw_file()
    edit(raw)
    path = write(raw)
    if says is None:
        (tmp_path / "images/val/a/gone.jpg").unlink()
        says = f"{tmp_path}/images/val/a/gone.jpg"
        path = Path()
    with pytest.raises(RecordError) as refused:
        read_sequence(tmp_path, path if path != Path() else tmp_path / "annotations/val/a.json")
    message = str(refused.value)
    assert message.startswith(f"{path}: {says}" if path != Path() else says)
    assert "\n" not in message


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_coordinates_that_are_no_numbers_are_refused(
    tmp_path: Path, write: Callable[..., Path], value: float
) -> None:
    raw = raw_file()
    raw["annotations"][0]["keypoints"] = slots(nose=(value, 5, 1))
    path = write(raw)
    with pytest.raises(RecordError) as refused:
        read_sequence(tmp_path, path)
    assert str(refused.value).startswith(f"{path}: annotations.0")
    assert "finite" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_truncated_json_is_refused(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(raw_file())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RecordError, match=r"a\.json: the file: Invalid JSON"):
        read_sequence(tmp_path, path)


def test_missing_folders_say_what_they_should_hold(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    with pytest.raises(RecordError, match=r"nowhere/annotations: no such folder; .*PoseTrack18"):
        read_split(tmp_path / "nowhere", "annotations", "val", "toy")
    write(raw_file())
    with pytest.raises(RecordError, match=r"annotations: no file train/\*\.json"):
        read_split(tmp_path, "annotations", "train", "toy")


def test_a_cut_keeps_earlier_frames_as_unlabelled_neighbours(
    tmp_path: Path, write: Callable[..., Path]
) -> None:
    raw = raw_file(6)
    for image in raw["images"]:
        image["is_labeled"] = True
    write(raw)
    train = read_split(tmp_path, "annotations", "train", "toy", cut=(0, 1)).sequences[0]
    val = read_split(tmp_path, "annotations", "val", "toy", cut=(3, 4)).sequences[0]
    assert [frame.labelled for frame in train.frames] == [True, True]
    assert [frame.labelled for frame in val.frames] == [False] * 3 + [True] * 2
    assert not any(frame.people for frame in val.frames[:3])
    with pytest.raises(RecordError, match="has 6 frames; the split asks for 6 to 9"):
        read_split(tmp_path, "annotations", "val", "toy", cut=(6, 9))


@needs_shared
def test_the_real_posetrack18_files() -> None:
    root = SHARED / "mmpose_tests/posetrack18"
    read = read_split(root, "annotations", "val", "posetrack18")
    counts = [len(s.frames[0].people) for s in read.sequences]
    assert sorted(counts) == [1, 2, 11]
    people = [p for s in read.sequences for p in s.frames[0].people]
    assert sum(point is not None for p in people for point in p.joints) == 182
    assert sorted(len(s.frames[0].ignore) for s in read.sequences) == [2, 4, 9]
    assert {(s.width, s.height) for s in read.sequences} == {(1920, 1080)}


@needs_shared
def test_the_real_clip_has_no_nose() -> None:
    root = SHARED / "bonn_posetrack"
    (val,) = read_split(root, "annotations_pt18", "val", "bonn", cut=(29, 40)).sequences
    (train,) = read_split(root, "annotations_pt18", "train", "bonn", cut=(0, 24)).sequences
    assert (sum(f.labelled for f in val.frames), sum(f.labelled for f in train.frames)) == (12, 25)
    people = [p for f in (*val.frames, *train.frames) for p in f.people]
    assert len(people) == 37 * 4
    labelled = np.isfinite(np.stack([p.points for p in people])[..., 0]).all(axis=0)
    assert [skeleton.JOINTS[j] for j in np.flatnonzero(~labelled)] == ["nose"]


HOSTILE = st.sampled_from(
    [
        *(None, True, -1, 0, 2**31, 10**25, 1e300, -1e300, 1e7, "", "x", [], {}, [[]]),
        *("/etc/hostname", "../../etc/hostname", "a/../../b", "a\0b", "\u202e.jpg", "x" * 5000),
    ]
)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Lists the places of all plain values in nested ones."""
    if isinstance(value, dict):
        return [one for key, inner in value.items() for one in places(inner, (*at, key))]
    if isinstance(value, list):
        return [at, *(one for n, inner in enumerate(value) for one in places(inner, (*at, n)))]
    return [at]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.data())
def test_any_value_anywhere_is_read_within_bounds_or_refused_in_one_line(
    tmp_path: Path, write: Callable[..., Path], data: st.DataObject
) -> None:
    file = write(raw_file())
    raw = raw_file()
    for place in data.draw(st.lists(st.sampled_from(places(raw)), min_size=1, max_size=2)):
        try:
            put(data.draw(HOSTILE), *place)(raw)
        except (TypeError, KeyError, IndexError):
            continue  # the first value took the second one's place away
    file.write_text(json.dumps(raw), encoding="utf-8")
    try:
        sequence = read_sequence(tmp_path, file)
    except RecordError as error:
        message = str(error)
        assert "\n" not in message
        assert str(file) in message or str(tmp_path) in message
        return
    root = tmp_path.resolve()
    assert 0 < sequence.width <= 16_384
    for frame in sequence.frames:
        assert (root / frame.file).resolve().is_relative_to(root)
        for person in frame.people:
            assert abs(person.track) <= 2**31
            assert np.abs([*person.box, *(person.head or ())]).max() <= 1e6
            assert np.nanmax(np.abs(person.points), initial=0) <= 1e6
