"""What JHMDB's reader refuses; the way from the archives is in tests/stages/test_prepare.py."""

import json
import os
import struct
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import miniature
import numpy as np
import pytest
import scipy.io
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.sparse import csc_matrix

from tips import skeleton
from tips.config import Dataset
from tips.data import jhmdb, matlab
from tips.data.archives import present, unpack
from tips.data.releases import RELEASES
from tips.records import RecordError

SETTINGS = Dataset(
    kind="jhmdb",
    name="j",
    root=None,
    annotations="joint_positions",
    frames="files",
    split=None,
    embedded=None,
    fold=1,
)
CLIP = "joint_positions/catch/Frisbee_catch/joint_positions.mat"
MASK = "puppet_mask/catch/Frisbee_catch/puppet_mask.mat"
SPLIT = "sub_splits/catch_test_split_1.txt"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The miniature, unpacked."""
    miniature.jhmdb(tmp_path)
    for bundle in RELEASES["jhmdb"].bundles:
        unpack(bundle._replace(md5=""), present(bundle, tmp_path), tmp_path / "unpacked")
    for name in ("joint_positions", "puppet_mask", "sub_splits", "Rename_Images"):
        (tmp_path / "unpacked" / name / name).rename(tmp_path / name)
    return tmp_path


def test_the_three_splits_are_the_files_own(root: Path) -> None:
    for fold in (1, 2, 3):
        settings = SETTINGS.model_copy(update={"fold": fold})
        names = {clip.name: clip.split for clip in jhmdb.clips(root, settings)}
        assert names == {"Frisbee_catch": "train", "Ball_@_7_catch": "val", "Golf_1": "val"}


def test_every_label_file_is_listed(root: Path) -> None:
    found = jhmdb.labels(root, SETTINGS)
    assert len(found) == 2 + 3 + 3
    assert all(path.is_file() for path in found)


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        (SPLIT, b"Frisbee_catch.avi 3\n", r"line 1: '<clip>\.avi 1|2' expected"),
        (SPLIT, b"a.avi 1\n\na.avi 2\n", "line 3: clip a occurs twice"),
        (CLIP, b"MATLAB", "not a readable MATLAB file"),
        (CLIP, miniature.mat({"scale": 1}), "holds no variable 'pos_img'"),
        (CLIP, miniature.mat({"pos_img": np.zeros((2, 14, 3))}), "2 x 15 x frames, expected; got"),
        (CLIP, miniature.mat({"pos_img": np.full((2, 15, 3), np.nan)}), "pos_img: finite numbers"),
        (CLIP, miniature.mat({"pos_img": np.ones((2, 15, 2))}), r"2 frames; .* has 3"),
        (MASK, miniature.mat({"part_mask": np.zeros((48, 64, 3))}), "frame 1 is empty"),
        (SPLIT, b"x/../Frisbee_catch.avi 1\n", r"line 1: Clip: name: must name a file inside"),
        (SPLIT, b"sub/c.avi 1\n", "line 1: Clip: name: must be a name that a folder can have"),
        (SPLIT, b"Frisbee_catch/.avi 1\n", "line 1: Clip: name: must be a name that a folder can"),
        (SPLIT, b"a\0.avi 1\n", r"got 'a\\x00'"),
        (SPLIT, b"\xe9.avi 1\n", "no text in UTF-8; copy the file again"),
        (SPLIT, "a.avi 1\n".encode("utf-16"), "no text in UTF-8; copy the file again"),
        (CLIP, b"", "not a readable MATLAB file"),
        (CLIP, miniature.mat({"pos_img": np.full((2, 15, 3), 1e9)}), r"joints\.0\.0: Input should"),
        (CLIP, miniature.mat({"pos_img": np.full((2, 15, 3), 1j)}), "finite numbers, all real"),
        (CLIP, miniature.mat({"pos_img": "abc"}), "finite numbers, all real"),
        (CLIP, miniature.mat({"pos_img": {"a": 1}}), "finite numbers, all real"),
        (CLIP, miniature.mat({"pos_img": np.array([[1, "a"]], object)}), "finite numbers, all"),
        (CLIP, miniature.mat({"pos_img": np.zeros((2, 15, 3, 2))}), "three axes at most expected"),
        (CLIP, miniature.mat({"pos_img": csc_matrix(np.ones((2, 15)))}), "numbers, text, cells"),
        (MASK, miniature.mat({"part_mask": np.full((48, 64, 3), np.nan)}), "part_mask: finite"),
        (MASK, miniature.mat({"part_mask": np.ones((48, 64, 3, 2))}), "three axes at most"),
        (MASK, miniature.mat({"part_mask": np.ones((9, 10, 3))}), r"9 x 10 px; .* has 48 x 64"),
        (MASK, miniature.mat({"part_mask": np.ones((17_000, 1, 3), bool)}), "17000 x 1 px"),
    ],
)
def test_malformed_files_are_named(root: Path, file: str, content: bytes, says: str) -> None:
    (root / file).write_bytes(content)
    with pytest.raises(RecordError, match=says) as refused:
        jhmdb.read(root, SETTINGS, "train", "j")
    assert Path(file).name in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("file", [SPLIT, CLIP, MASK])
@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_what_is_no_file_is_not_read(root: Path, file: str, kind: str) -> None:
    (root / file).unlink()
    if kind == "pipe":
        os.mkfifo(root / file)
    else:
        (root / file).symlink_to("/dev/zero")
    with pytest.raises(RecordError, match=f"{root / file}: is no regular file"):
        jhmdb.read(root, SETTINGS, "train", "j")


def test_a_split_file_without_an_action_leads_nowhere(root: Path) -> None:
    """An empty folder before an absolute path leaves that path."""
    (root / "sub_splits/_test_split_1.txt").write_text(f"{root}/outside.avi 1\n")
    with pytest.raises(RecordError, match=r"_test_split_1\.txt: line 1: Clip: action: must name"):
        jhmdb.read(root, SETTINGS, "train", "j")


@given(name=st.text(max_size=30) | st.sampled_from(["..", "/a", "a/..", ".a", "a/"]))
def test_a_clip_s_folder_is_right_below_its_action_s(name: str) -> None:
    try:
        clip = jhmdb.Clip(action="catch", name=name, split="train")
    except ValidationError:
        return
    assert Path("/r", clip.folder).resolve().parent == Path("/r/catch")


def packed(shape: tuple[int, ...], values: int, *, kind: int = 6, depth: int = 0) -> bytes:
    """A compressed `pos_img` of a class and of a shape, with so many bytes of values."""
    element = b""
    for level in range(depth + 1):
        axes = shape if level == 0 else (1, 1)
        body = struct.pack("<IIII", 6, 8, kind if level == 0 else 1, 0)
        body += struct.pack(f"<II{len(axes)}i", 5, 4 * len(axes), *axes).ljust(
            16 + 8 * (len(axes) > 2), b"\0"
        )
        body += struct.pack("<II", 1, 7) + b"pos_img\0"
        body += struct.pack("<II", 9, values) + bytes(values) if level == 0 else element
        element = struct.pack("<II", 14, len(body)) + body
    data = zlib.compress(element)
    return miniature.mat({})[:128] + struct.pack("<II", 15, len(data)) + data


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (packed((2, 15, 1), 1000), None),
        (packed((2, 15, 10**6), 240), "2 x 15 x 1000000 values has not their bytes"),
        (packed((2**31 - 1, 1), 8, kind=1), "2147483647 x 1 values has not their bytes"),
        (packed((2**31 - 1, 1), 8, kind=1, depth=1), "2147483647 x 1 values has not their bytes"),
        (packed((-1, -1), 8), "-1 x -1 values"),
        (packed((2, 15), 240, depth=10**4), "more than 30 structs in one another"),
        (packed((2, 15), 240, kind=17), "numbers, text, cells and structs can be read"),
        (packed((2, 15, 1), matlab.LARGEST), f"of more than {matlab.LARGEST} bytes"),
        (packed((2, 15), 240)[:-9], "cut off"),
    ],
)
def test_a_file_that_claims_more_than_it_has_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str | None
) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    if says:
        monkeypatch.setattr(scipy.io, "loadmat", None)  # is never asked
    with pytest.raises(RecordError, match=rf"a\.mat: .*{says or ''}"):
        matlab.read_array(path, "pos_img")


def test_what_else_a_file_holds_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    for compressed in (False, True):
        variables = {"s": csc_matrix(np.eye(3)), "pos_img": np.ones((2, 15)), "text": "ab"}
        scipy.io.savemat(path, variables, do_compression=compressed)
        assert matlab.read_array(path, "pos_img").shape == (2, 15, 1)
        with pytest.raises(RecordError, match="holds no variable 'none'"):
            matlab.read_array(path, "none")


MADE = miniature.mat({"pos_img": miniature.struct_array([{"a": np.ones(3), "b": "text"}] * 2)})


@given(changes=st.lists(st.tuples(st.integers(100, len(MADE) - 1), st.integers(0, 255))))
def test_any_damage_is_a_line(changes: list[tuple[int, int]]) -> None:
    data = bytearray(MADE)
    for place, value in changes:
        data[place] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mat")
        path.write_bytes(data)
        for read in (matlab.read_structs, matlab.read_array):
            with suppress(RecordError):
                read(path, "pos_img")


@pytest.mark.parametrize("remove", [CLIP, MASK, "Rename_Images/catch/Frisbee_catch/00002.png"])
def test_missing_files_are_named(root: Path, remove: str) -> None:
    (root / remove).unlink()
    for extra in (root / remove).parent.glob("00004.png"):
        extra.unlink()
    with pytest.raises(RecordError, match="Frisbee_catch"):
        jhmdb.read(root, SETTINGS, "train", "j")


def test_a_set_without_split_files_says_so(root: Path) -> None:
    for path in (root / "sub_splits").iterdir():
        path.unlink()
    with pytest.raises(RecordError, match=r"sub_splits: no file .*_test_split_1\.txt in it"):
        jhmdb.read(root, SETTINGS, "train", "j")


def test_mmpose_s_conversion_is_read_instead(root: Path, merged: Callable[[str], bytes]) -> None:
    folder = root / "annotations"
    folder.mkdir()
    for side in ("train", "test"):
        (folder / f"Sub1_{side}.json").write_bytes(merged("catch/Frisbee_catch"))
    settings = SETTINGS.model_copy(update={"annotations": "annotations"})
    (clip,) = jhmdb.read(root, settings, "val", "j").sequences
    assert clip.frames[0].file == "Rename_Images/catch/Frisbee_catch/00001.png"
    assert clip.frames[0].people[0].joints[2] == (1, 2)  # "head" is the face; from 0
    assert clip.frames[0].people[0].box == (4, 5, 10, 20)
    assert len(jhmdb.labels(root, settings)) == 2


@pytest.fixture
def merged() -> Callable[[str], bytes]:
    names = ["neck", "belly", "head", *skeleton.JHMDB.joints[3:]]

    def make(folder: str) -> bytes:
        points = [value for _ in names for value in (2.0, 3.0, 2)]
        images = [{"id": 1, "file_name": f"{folder}/00001.png", "width": 64, "height": 48}]
        people = [{"image_id": 1, "keypoints": points, "bbox": [5, 6, 10, 20], "track_id": 0}]
        categories = [{"name": "person", "keypoints": names}]
        found = {"images": images, "annotations": people, "categories": categories}
        return json.dumps(found).encode()

    return make
