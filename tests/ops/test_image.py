import resource
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from tips.ops.image import psnr, read_image, write_jpeg
from tips.records import RecordError


def test_psnr_closed_form() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    assert psnr(image, image + 1) == pytest.approx(20 * np.log10(255))
    assert psnr(image, image + np.uint8(255)) == pytest.approx(0)
    assert psnr(image, image) == float("inf")


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one shape"):
        psnr(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))


@pytest.mark.parametrize("kept", [0, 1, 20, -200])
def test_an_image_that_was_cut_off_is_refused(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.jpg"
    write_jpeg(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8), path)
    assert read_image(path).shape == (64, 64, 3)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(RecordError) as refused:
        read_image(path)
    assert str(refused.value) == f"{path}: not a readable image; put a whole one there"


def test_other_bytes_and_no_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("no image")
    with pytest.raises(RecordError, match="not a readable image"):
        read_image(path)
    with pytest.raises(RecordError, match="no such file; complete the folder"):
        read_image(tmp_path / "b.png")
    with pytest.raises(RecordError, match="is a folder; a file is needed here"):
        read_image(tmp_path)


@pytest.mark.parametrize("side", [8193, 40_000, 10**6])
def test_a_picture_that_promises_too_much_is_refused_by_its_header(
    tmp_path: Path, side: int
) -> None:
    """A few hundred bytes would else take gigabytes."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    ]
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(RecordError, match=r"bomb\.png: not a readable image"):
        read_image(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB
