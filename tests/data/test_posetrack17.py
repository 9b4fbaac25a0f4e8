"""PoseTrack17's own quirks; both forms of the files go through tests/stages/test_prepare.py too."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import miniature
import pytest

from tips.data.posetrack17 import read_sequence
from tips.records import RecordError

Raw = dict[str, Any]
FOLDER = "bonn/a"


def wrapped(value: Any) -> Any:
    """As mat2json writes: every scalar and struct in a list of its own."""
    if isinstance(value, dict):
        return [{key: wrapped(part) for key, part in value.items()}]
    if isinstance(value, list):
        return [part for row in value for part in wrapped(row)]
    return [value]


def rows() -> list[Raw]:
    person = {
        **{"x1": 10, "y1": 10, "x2": 16, "y2": 18, "track_id": 3},
        "annopoints": {"point": [{"id": 0, "x": 5, "y": 6, "is_visible": 1}]},
    }
    frames: list[Raw] = [
        {"image": {"name": f"images/{FOLDER}/{k:08d}.jpg"}, "is_labeled": int(k == 2)}
        for k in (1, 2, 3)
    ]
    frames[1]["annorect"] = [person]
    frames[1]["ignore_regions"] = [
        {"point": [{"x": 0, "y": 0}, {"x": 3, "y": 0}, {"x": 3, "y": 3}]}
    ]
    return frames


@pytest.fixture
def read(tmp_path: Path) -> Callable[[Any], Any]:
    folder = tmp_path / "images" / FOLDER
    folder.mkdir(parents=True)
    for k in (1, 2, 3, 4):
        (folder / f"{k:08d}.jpg").write_bytes(miniature.picture(0))

    def make(raw: Any) -> Any:
        path = tmp_path / "a.json"
        path.write_text(raw if isinstance(raw, str) else json.dumps(raw))
        return read_sequence(tmp_path, path)

    return make


def file_of(frames: list[Raw]) -> Raw:
    return {"annolist": [part for row in frames for part in wrapped(row)]}


def test_lists_of_one_and_plain_values_read_alike(read: Callable[[Any], Any]) -> None:
    sequence = read(file_of(rows()))
    assert sequence == read({"annolist": rows()})
    # The fourth frame is on the disk alone: a neighbour.
    assert [frame.labelled for frame in sequence.frames] == [False, True, False, False]
    (person,) = sequence.frames[1].people
    assert (person.track, person.head, person.joints[0]) == (3, (10, 10, 6, 8), (5, 6))
    # One joint spans no box: the head box lends its corners, x 5..16, y 6..18, enlarged 1.2 times.
    assert person.box == pytest.approx((3.8, 4.7, 14.4, 15.6))
    assert sequence.frames[1].ignore == (((0, 0), (3, 0), (3, 3)),)


def test_empty_lists_are_nothing(read: Callable[[Any], Any]) -> None:
    frames = rows()
    frames[0] |= {"annorect": [], "ignore_regions": [], "is_labeled": []}
    frames[1]["annorect"][0]["annopoints"] = []
    sequence = read(file_of(frames))
    assert sequence.frames[0].people == ()
    assert not sequence.frames[0].labelled
    (person,) = sequence.frames[1].people
    assert person.joints == (None,) * 15
    assert person.box[2:] == pytest.approx((8.4, 10.8))


def change(key: str, value: Any) -> Callable[[Raw], None]:
    return lambda row: row.update({key: value})


def point(key: str, value: Any) -> Callable[[Raw], None]:
    return lambda row: row["annorect"][0]["annopoints"]["point"][0].update({key: value})


def rectangle(key: str, value: Any) -> Callable[[Raw], None]:
    return lambda row: row["annorect"][0].update({key: value})


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (change("image", {}), "annolist.1.image: name: a text expected; got None"),
        (change("image", 4), "annolist.1.image: a record with named fields expected; got 4"),
        (change("is_labeled", "yes"), "annolist.1: is_labeled: a finite number expected"),
        (point("x", None), "annolist.1.annorect.0.annopoints.point.0: x: a finite number expected"),
        (point("y", float("nan")), "annolist.1.annorect.0.annopoints.point.0: y: a finite number"),
        (point("id", 15), "annolist.1.annorect.0.annopoints.point.0: id must lie in 0..14; got 15"),
        (rectangle("track_id", None), "annolist.1.annorect.0: track_id: a finite number expected"),
        (rectangle("x1", "left"), "annolist.1.annorect.0: x1: a finite number expected"),
    ],
)
def test_malformed_records_are_named(
    read: Callable[[Any], Any], tmp_path: Path, edit: Callable[[Raw], None], says: str
) -> None:
    frames = rows()
    edit(frames[1])
    with pytest.raises(RecordError) as refused:
        read({"annolist": frames})
    assert str(refused.value).startswith(f"{tmp_path}/a.json: {says}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ("{", "a.json: not JSON at line 1"),
        ("[]", "a.json: a record with named fields expected"),
        ({"annolist": []}, "a.json: annolist: no frame"),
    ],
)
def test_files_that_are_no_annolist(read: Callable[[Any], Any], raw: Any, says: str) -> None:
    with pytest.raises(RecordError, match=says):
        read(raw)


@pytest.mark.parametrize("content", [b"", b"MATLAB 5.0 MAT-file", miniature.mat({"other": 1})])
def test_matlab_files_that_are_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(
        RecordError, match=r"a\.mat: (not a readable MATLAB file|holds no variable)"
    ):
        read_sequence(tmp_path, path)


def test_a_matlab_file_that_was_cut_off(tmp_path: Path) -> None:
    made = miniature.mat(
        {"annolist": miniature.struct_array(miniature.annolist("a", ["1.jpg"], 1))}
    )
    path = tmp_path / "a.mat"
    for size in range(150, len(made) - 8, 97):
        path.write_bytes(made[:size])
        with pytest.raises(RecordError, match=r"a\.mat: "):
            read_sequence(tmp_path, path)
