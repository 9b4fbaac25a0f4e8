import pickle
from pathlib import Path

import numpy as np
import pytest

from tips.data.frames import FileFrames, PackedFrames, pack, write_packed
from tips.ops.image import read_image, write_jpeg
from tips.records import Annotations, Frame, RecordError, Sequence


def dataset(root: Path, count: int = 3) -> Annotations:
    rng = np.random.default_rng(0)
    frames = []
    for k in range(count):
        write_jpeg(rng.integers(0, 256, (8, 10, 3), dtype=np.uint8), root / f"i/{k:06d}.jpg")
        frames.append(Frame(file=f"i/{k:06d}.jpg", id=k, labelled=False))
    clip = Sequence(name="clip", width=10, height=8, motion="walk", frames=tuple(frames))
    return Annotations(dataset="toy", split="train", root=".", sequences=(clip,))


def test_packed_frames_equal_the_files(tmp_path: Path) -> None:
    annotations = dataset(tmp_path)
    files = FileFrames(tmp_path, annotations)
    pack(annotations.sequences[0], files, tmp_path / "packed")
    packed = PackedFrames(tmp_path / "packed")
    again = pickle.loads(pickle.dumps(packed))
    for k in range(3):
        assert np.array_equal(files("clip", k), packed("clip", k))
        assert np.array_equal(files("clip", k), again("clip", k))
    assert type(packed("clip", 0)) is np.ndarray
    assert not packed("clip", 0).flags.writeable


def test_channels_are_rgb(tmp_path: Path) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 255
    write_jpeg(red, tmp_path / "red.jpg")
    assert read_image(tmp_path / "red.jpg")[8, 8, 0] > 250


def test_missing_and_unreadable_images_are_named(tmp_path: Path) -> None:
    annotations = dataset(tmp_path)
    files = FileFrames(tmp_path, annotations)
    (tmp_path / "i/000001.jpg").write_bytes(b"\xff\xd8 cut")
    with pytest.raises(RecordError, match=r"i/000001\.jpg: not a readable image"):
        files("clip", 1)
    (tmp_path / "i/000002.jpg").unlink()
    with pytest.raises(RecordError, match=r"i/000002\.jpg: no such file"):
        files("clip", 2)
    with pytest.raises(RecordError, match="no sequence 'clop'"):
        files("clop", 0)
    with pytest.raises(RecordError, match="3 frames; asked: 3"):
        files("clip", 3)


def test_truncated_pack_is_named(tmp_path: Path) -> None:
    write_packed(iter(np.zeros((4, 8, 8, 3), np.uint8)), tmp_path / "clip.npy")
    path = tmp_path / "clip.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecordError, match=r"clip\.npy: truncated"):
        PackedFrames(tmp_path)("clip", 0)
    with pytest.raises(RecordError, match=r"gone\.npy: no such file"):
        PackedFrames(tmp_path)("gone", 0)
    np.save(tmp_path / "grey.npy", np.zeros((4, 8, 8), np.uint8))
    with pytest.raises(RecordError, match="must be uint8"):
        PackedFrames(tmp_path)("grey", 0)
    write_packed(iter(np.zeros((2, 8, 8, 3), np.uint8)), tmp_path / "two.npy")
    with pytest.raises(RecordError, match="holds 2 frames; asked: -1"):
        PackedFrames(tmp_path)("two", -1)


def test_sequence_has_frames_of_one_size(tmp_path: Path) -> None:
    frames = [np.zeros((8, 8, 3), np.uint8), np.zeros((8, 9, 3), np.uint8)]
    with pytest.raises(RecordError, match="8x8, 9x8"):
        write_packed(frames, tmp_path / "clip.npy")
    assert list(tmp_path.iterdir()) == []


def test_clip_of_one_frame_has_no_interim(tmp_path: Path) -> None:
    write_packed(iter(()), tmp_path / "still.npy")
    with pytest.raises(RecordError, match="holds 0 frames"):
        PackedFrames(tmp_path)("still", 0)
