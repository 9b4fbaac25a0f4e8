"""What JHMDB's reader refuses; the way from the archives is in tests/stages/test_prepare.py."""

import json
from collections.abc import Callable
from pathlib import Path

import miniature
import numpy as np
import pytest

from tips import skeleton
from tips.config import Dataset
from tips.data import jhmdb
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
    ],
)
def test_malformed_files_are_named(root: Path, file: str, content: bytes, says: str) -> None:
    (root / file).write_bytes(content)
    with pytest.raises(RecordError, match=says) as refused:
        jhmdb.read(root, SETTINGS, "train", "j")
    assert Path(file).name in str(refused.value)
    assert "\n" not in str(refused.value)


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
