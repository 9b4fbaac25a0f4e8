import json
from pathlib import Path
from typing import Any

import pytest

from tips.data.detections import read_detections
from tips.records import Annotations, Detections, Frame, RecordError, Sequence


def split(*clips: tuple[str, list[str], int]) -> Annotations:
    """Clips of (folder, file names, first id); every frame but the first is labelled."""
    return Annotations(
        dataset="toy",
        split="val",
        root=".",
        sequences=tuple(
            Sequence(
                name=folder.replace("/", "_"),
                width=64,
                height=48,
                motion="m",
                frames=tuple(
                    Frame(file=f"images/{folder}/{name}", id=first + k, labelled=k > 0)
                    for k, name in enumerate(names)
                ),
            )
            for folder, names, first in clips
        ),
    )


def numbered(count: int, first: int = 0, digits: int = 6) -> list[str]:
    return [f"{first + k:0{digits}d}.jpg" for k in range(count)]


TWO = split(("val/a", numbered(4), 100), ("val/b", numbered(3), 200))


def row(**fields: Any) -> dict[str, Any]:
    return {"bbox": [1, 2, 30, 40], "score": 0.9, "category_id": 1} | fields


def read(
    tmp_path: Path, rows: Any, annotations: Annotations = TWO, threshold: float = 0.2
) -> Detections:
    path = tmp_path / "boxes.json"
    path.write_text(rows if isinstance(rows, str) else json.dumps(rows))
    return read_detections(path, annotations, threshold)


def places(found: Detections) -> list[tuple[str, int]]:
    return [(box.sequence, box.frame) for box in found.boxes]


def test_posewarper_s_form_names_the_image(tmp_path: Path) -> None:
    rows = [
        row(image_name="images/val/a/000002.jpg", nframes=4, frame_id=3),
        row(image_name="val/b/000001.jpg", nframes=3, frame_id=2),
        row(image_name="/elsewhere/val/b/000002.jpg"),
    ]
    found = read(tmp_path, rows)
    assert places(found) == [("val_a", 2), ("val_b", 1), ("val_b", 2)]
    assert found.source == "detected"
    assert (found.boxes[0].box, found.boxes[0].score, found.boxes[0].track) == (
        (1, 2, 30, 40),
        0.9,
        None,
    )


def test_mmpose_s_form_and_coco_s_results_give_ids(tmp_path: Path) -> None:
    found = read(tmp_path, [row(image_id=103), row(image_id=201)])
    assert places(found) == [("val_a", 3), ("val_b", 1)]


def test_what_is_left_out(tmp_path: Path) -> None:
    rows = [
        row(image_id=101, score=0.2),  # as low as it may be
        row(image_id=101, score=0.1999),
        row(image_id=101, category_id=3),
        row(image_id=101, bbox=[5, 5, 0, 9]),
        row(image_id=100),  # not labelled
        row(image_id=999),  # of another split
    ]
    assert [box.score for box in read(tmp_path, rows).boxes] == [0.2]


def test_posetrack17_s_renamed_frames(tmp_path: Path) -> None:
    """The family numbers a clip's frames from 1 in order, whatever their own names were."""
    clips = split(
        ("bonn/000001", ["0000098_crop.jpg", "0000099_crop.jpg", "00000100.jpg"], 1),
        ("mpii/000001", numbered(3, first=83, digits=8), 1),
    )
    rows = [
        row(image_name="bonn/000001/00000003.jpg"),
        row(image_name="images/mpii/000001/00000002.jpg"),
    ]
    assert places(read(tmp_path, rows, clips)) == [("bonn_000001", 2), ("mpii_000001", 1)]
    # Under their own names too, where a clip's numbers do not fit the other reading.
    own = [row(image_name="images/mpii/000001/00000084.jpg")]
    assert places(read(tmp_path, own, clips)) == [("mpii_000001", 1)]
    with pytest.raises(RecordError, match="record 0: image_id says nothing here"):
        read(tmp_path, [row(image_id=2)], clips)


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ("[{", "record the file: Invalid JSON"),
        ("{}", "record the file: Input should be a valid array"),
        ([row(image_id=101), row()], "record 1: image_name or image_id must be given"),
        ([row(image_id=101, bbox=[1, 2, 3])], "record 0.bbox.3: Field required"),
        ([row(image_id=101, score=None)], "record 0.score: Input should be a valid number"),
        ('[{"bbox": [1, 2, NaN, 4], "score": 1, "image_id": 101}]', "record 0.bbox.2: Input"),
        (
            [row(image_name="a/" * 100_000 + "000.png")],
            "record 0.image_name: String should have at most 1000 characters",
        ),
        ([row(image_id=999)], "no box of score 0.2 or more on a labelled frame of toy val"),
    ],
)
def test_malformed_files_name_file_and_record(tmp_path: Path, rows: Any, says: str) -> None:
    with pytest.raises(RecordError) as refused:
        read(tmp_path, rows)
    message = str(refused.value)
    assert message.startswith(f"{tmp_path}/boxes.json: {says}")
    assert "\n" not in message


def test_an_absent_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"none\.json: no such file; put the person boxes there"):
        read_detections(tmp_path / "none.json", TWO, 0.2)
