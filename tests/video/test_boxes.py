import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tips.ops.image import write_jpeg
from tips.records import RecordError
from tips.video.boxes import Boxes, PersonBox, from_file, read_boxes, whole_frame
from tips.video.clip import Clip, open_clip
from tips.video.overlay import write_video

BOX = (1.0, 2.0, 30.0, 40.0)
PICTURE = np.zeros((48, 64, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Clip:
    """images/val/000342_mpii/000000.jpg and two more."""
    path = tmp_path / "images/val/000342_mpii"
    for k in range(3):
        write_jpeg(PICTURE, path / f"{k:06d}.jpg")
    return open_clip(path)


@pytest.fixture
def video(tmp_path: Path) -> Clip:
    with write_video(tmp_path / "a.mp4", 64, 48, 25) as add:
        for _ in range(3):
            add(PICTURE)
    return open_clip(tmp_path / "a.mp4")


def read(clip: Clip, data: Any, threshold: float = 0.2) -> Boxes:
    path = clip.path.parent / "boxes.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return read_boxes(path, clip, threshold)


def row(**fields: Any) -> dict[str, Any]:
    return {"bbox": list(BOX), "score": 0.9, "category_id": 1} | fields


def objects(names: list[str], *people: dict[str, Any]) -> dict[str, Any]:
    images = [{"id": 70 + k, "file_name": name} for k, name in enumerate(names)]
    return {"images": images, "annotations": list(people)}


def test_a_list_by_name_keeps_to_the_clip_s_folder(folder: Clip) -> None:
    rows = [
        row(image_name="images/val/000342_mpii/000001.jpg"),
        row(image_name="images/val/000999_mpii/000002.jpg"),
        row(image_name="images/val/000342_mpii/000001.jpg", score=0.1),
        row(image_name="images/val/000342_mpii/000002.jpg", bbox=[1, 1, 0, 5]),
    ]
    assert read(folder, rows) == {1: [PersonBox(BOX, 0.9)]}
    assert read(folder, rows, 0.0) == {1: [PersonBox(BOX, 0.9), PersonBox(BOX, 0.1)]}
    # The names that PoseWarper gives PoseTrack17 count from 1.
    renamed = [row(image_name=f"val/000342_mpii/{k:08d}.jpg") for k in (1, 3)]
    assert sorted(read(folder, renamed)) == [0, 2]


def test_a_list_of_one_folder_fits_wherever_the_frames_went(folder: Clip) -> None:
    assert sorted(read(folder, [row(image_name="elsewhere/000002.jpg")])) == [2]


def test_a_list_by_number(video: Clip) -> None:
    assert sorted(read(video, [row(image_id=0), row(image_id=2), row(image_id=3)])) == [0, 2]


def test_an_object_has_tracks_and_may_have_scores(folder: Clip) -> None:
    names = [f"images/val/000342_mpii/{k:06d}.jpg" for k in range(2)]
    people = (
        {"image_id": 70, "bbox": BOX, "track_id": 5},
        {"image_id": 71, "bbox": BOX, "track_id": -1, "score": 0.3, "category_id": 1},
        {"image_id": 71, "bbox": BOX, "category_id": 2},
        {"image_id": 71, "bbox": BOX, "score": 0.1},
        {"image_id": 71, "keypoints": []},
    )
    assert read(folder, objects(names, *people)) == {
        0: [PersonBox(BOX, 1.0, 5)],
        1: [PersonBox(BOX, 0.3, None)],
    }


def test_a_person_without_a_box_has_that_of_the_joints(folder: Clip) -> None:
    keypoints = [10, 20, 1, 0, 0, 0, 29, 39, 1]
    found = read(folder, objects(["000001.jpg"], {"image_id": 70, "keypoints": keypoints}))
    assert found[1][0].box == pytest.approx((8, 18, 24, 24))  # 20 px and a tenth on every side


def test_other_names_are_taken_in_order_if_they_are_as_many(video: Clip) -> None:
    person = {"image_id": 72, "bbox": BOX}
    assert sorted(read(video, objects(["x.jpg", "y.jpg", "z.jpg"], person))) == [2]
    with pytest.raises(RecordError, match=r"no box of score 0\.2 or more on a frame of .*a\.mp4"):
        read(video, objects(["v.jpg", "x.jpg", "y.jpg", "z.jpg"], person))


def test_names_that_fit_all_but_one_frame_are_others(tmp_path: Path) -> None:
    """ffmpeg counts from 1, and `tips predict` names from 0 what it cannot name as PoseTrack's."""
    path = tmp_path / "walk"
    for k in (1, 2, 3):
        write_jpeg(PICTURE, path / f"{k:06d}.jpg")
    names = [f"images/val/000000_bonn_test/{k:06d}.jpg" for k in range(3)]
    person = {"image_id": 70, "bbox": BOX}
    assert sorted(read(open_clip(path), objects(names, person))) == [0]
    repeated = [names[0], names[1], names[0]]  # past 10,000 frames
    assert sorted(read(open_clip(path), objects(repeated, person | {"image_id": 72}))) == [2]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("{", "not JSON at line 1"),
        ("7", "record the file: Input should be a valid array"),
        ([{"score": 1}], r"record 0\.bbox: Field required"),
        ([row(bbox=[1, 2, 3])], r"record 0\.bbox\.3: Field required"),
        ([row()], "record 0: image_name or image_id must be given"),
        ([row(image_id=99)], r"no box of score .* names such as 000000\.jpg, or ids from 0"),
        ({"annotations": []}, "images: Field required"),
        (objects(["000000.jpg"], {"bbox": BOX}), r"annotations\.0\.image_id: Field required"),
        (
            objects(["a/" * 100_000 + "000000.jpg"], {"image_id": 70, "bbox": BOX}),
            r"images\.0\.file_name: String should have at most 1000 characters",
        ),
        ([row(image_name="a/" * 100_000)], r"record 0\.image_name: String should have at most"),
        (
            {"images": [{"id": 7, "file_name": f"{k}.jpg"} for k in "ab"], "annotations": []},
            r"images\.1: id 7 occurs twice; frames need different ids",
        ),
        (
            objects(["000000.jpg"], {"image_id": 3, "bbox": BOX}),
            r"annotations\.0: image_id 3 is not among the images",
        ),
        (
            objects(["000000.jpg"], *[{"image_id": 70, "bbox": BOX, "track_id": 4}] * 2),
            "frame 0: track_id 4 occurs twice",
        ),
    ],
)
def test_malformed_files_are_a_line(folder: Clip, data: Any, says: str) -> None:
    with pytest.raises(RecordError, match=rf"boxes\.json: .*{says}"):
        read(folder, data)


def test_no_file_is_a_line(folder: Clip) -> None:
    with pytest.raises(RecordError, match=r"gone\.json: no such file of boxes"):
        read_boxes(Path("gone.json"), folder, 0.2)


def test_finders() -> None:
    find = from_file({1: [PersonBox(BOX, 1.0)]})
    assert (find(0, PICTURE), find(1, PICTURE)) == ((), [PersonBox(BOX, 1.0)])
    assert whole_frame(0, PICTURE) == (PersonBox((0, 0, 64, 48), 1, 0),)
