"""Each real dataset, from the archives a person has to annotations and manifest."""

import logging
from collections.abc import Callable
from pathlib import Path

import miniature
import numpy as np
import pytest
from real_sets import Set

from tips import records, skeleton
from tips.provenance import file_digest
from tips.records import Detections, RecordError
from tips.stages import prepare, unpack

Make = Callable[[str], Set]


@pytest.mark.parametrize(
    ("scale", "train", "val"),
    [
        ("paper-posetrack17", (1, 3, 1, 1, 15), (1, 3, 1, 2, 16)),
        ("paper-posetrack18", (2, 6, 2, 2, 30), (1, 3, 1, 1, 15)),
        ("paper-posetrack21", (2, 6, 2, 4, 30), (1, 3, 1, 2, 15)),
        ("paper-jhmdb-1", (1, 4, 3, 3, 45), (2, 8, 4, 4, 60)),
    ],
)
def test_from_archives_to_annotations(
    put_set: Make,
    caplog: pytest.LogCaptureFixture,
    scale: str,
    train: tuple[int, ...],
    val: tuple[int, ...],
) -> None:
    given = put_set(scale)
    with caplog.at_level(logging.WARNING):
        given.make()
    manifest = given.manifest
    names = ("sequences", "frames", "labelled_frames", "people", "joints")
    assert manifest["counts"]["train"] == dict(zip(names, train, strict=True))
    assert manifest["counts"]["val"] == dict(zip(names, val, strict=True))
    assert manifest["licence"]
    for name, digest in manifest["files"].items():
        assert digest == file_digest(given.root / name)
    pictures = [name for name in manifest["files"] if name.endswith((".jpg", ".png"))]
    assert len(pictures) == train[1] + val[1]
    # A miniature lacks most of the set: said, noted, and no reason to stop.
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(manifest["differences"]) > 0
    for line, row in zip(said, manifest["differences"], strict=True):
        assert f"expected are {row['expected']}" in line
        assert f"found {row['found']}" in line


def test_jhmdb_says_how_many_of_the_316_clips_there_are(put_set: Make) -> None:
    given = put_set("paper-jhmdb-1")
    given.make()
    assert given.manifest["differences"][0] == {
        **{"split": "all", "what": "sequences", "expected": 316, "found": 3},
        "source": "sub-JHMDB's clips, each once",
    }


def test_posetrack17_goes_by_the_leading_number(put_set: Make) -> None:
    given = put_set("paper-posetrack17")
    given.make()
    (clip,) = given.split("val").sequences
    assert [Path(frame.file).name for frame in clip.frames] == miniature.NAMES_17
    assert [frame.labelled for frame in clip.frames] == [False, True, False]
    whole, one_joint = clip.frames[1].people
    assert whole.joints[14] == (24, 26)
    assert whole.head == one_joint.head == (10, 10, 6, 6)
    assert sum(point is not None for point in one_joint.joints) == 1
    assert clip.frames[1].ignore == (((0, 0), (4, 0), (4, 4)),)


def test_posetrack21_keeps_box_only_people_out_of_training(put_set: Make) -> None:
    given = put_set("paper-posetrack21")
    given.make()
    (clip,) = given.split("val").sequences
    assert [frame.labelled for frame in clip.frames] == [False, True, False]
    assert clip.frames[0].people[0].joints == (None,) * skeleton.COUNT
    boxes = records.read(Detections, given.paths.boxes("gt")).boxes
    assert [box.track for box in boxes] == [0]


def test_jhmdb_counts_from_zero_and_boxes_the_puppet(put_set: Make) -> None:
    given = put_set("paper-jhmdb-1")
    given.make()
    clips = {clip.name: clip for s in ("train", "val") for clip in given.split(s).sequences}
    assert set(clips) == {"Frisbee_catch", "Ball_@_7_catch", "Golf_1"}
    assert [frame.labelled for frame in clips["Golf_1"].frames] == [True, False, False, False]
    (person,) = clips["Frisbee_catch"].frames[2].people
    assert person.box == (20, 10, 16, 21)
    np.testing.assert_array_equal(person.points, np.arange(30.0).reshape(15, 2) + 12)
    assert clips["Golf_1"].motion == "golf"


def test_a_malformed_record_names_file_and_record(put_set: Make) -> None:
    given = put_set("paper-posetrack18")
    raw = miniature.labels_18("annotations", lambda raw: raw["annotations"][0].pop("track_id"))
    for name, content in raw.items():
        path = given.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    unpack.run(given.scale, str(given.root))
    with pytest.raises(RecordError, match=r"\.json: annotations\.0\.track_id: Field required"):
        prepare.run(given.scale, str(given.root))
    assert not given.paths.manifest.exists()


def test_a_frame_that_is_missing_is_named(put_set: Make) -> None:
    given = put_set("paper-posetrack18")
    unpack.run(given.scale, str(given.root))
    gone = next(given.root.glob("unpacked/images/images/train/*/000002.jpg"))
    gone.unlink()
    with pytest.raises(RecordError, match=f"{gone}: no such file"):
        prepare.run(given.scale, str(given.root))
