from pathlib import Path

import pytest

from tips.data import layout
from tips.records import RecordError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in (
        "unpacked/labels/posetrack_data/annotations/val/a.json",
        "unpacked/images/images/val/a/000000.jpg",
        "unpacked/.images.partial/images/val/b/000000.jpg",
        "one/two/three/four/far.txt",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.touch()
    return tmp_path


def test_folders_come_nearest_first_and_not_too_deep(root: Path) -> None:
    found = [folder.relative_to(root).as_posix() for folder in layout.folders(root)]
    assert found[:3] == [".", "one", "unpacked"]
    assert "one/two/three" in found
    assert "one/two/three/four" not in found
    assert not [name for name in found if ".images" in name]


def test_labels_and_frames_are_found_where_archives_nest_them(root: Path) -> None:
    found = layout.find_labels(root, "annotations", ("*/*.mat", "*/*.json"))
    assert found == root / "unpacked/labels/posetrack_data/annotations"
    assert layout.prefix(root, "images/val/a/000000.jpg") == "unpacked/images/"
    (root / "images/val/a").mkdir(parents=True)
    (root / "images/val/a/000000.jpg").touch()
    assert layout.prefix(root, "images/val/a/000000.jpg") == ""  # the nearest
    assert layout.find(root, "nowhere/*") is None


def test_what_is_nowhere_is_named(root: Path) -> None:
    with pytest.raises(RecordError, match=r"images/val/b/000000\.jpg: no such file, nor below"):
        layout.prefix(root, "images/val/b/000000.jpg")
    with pytest.raises(
        RecordError, match=r"labels: no file \*\.mat in it, nor in a folder of that"
    ):
        layout.find_labels(root, "labels", ("*.mat",))
