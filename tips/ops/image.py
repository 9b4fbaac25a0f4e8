"""Image files: RGB uint8 arrays in and out, and the PSNR between two of them."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tips import LARGEST_IMAGE
from tips.records import RecordError, atomic_path, content

Image = NDArray[np.uint8]  # (H, W, 3), RGB
JPEG_QUALITY = 95
JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"
JPEG_TAIL = 1024  # bytes; some cameras write a little after the end marker


def read_image(path: Path) -> Image:
    """Reads one image as RGB (H, W, 3). Raises RecordError naming the file."""
    data = content(path, "complete the folder")
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
    except cv2.error as error:
        raise RecordError(
            f"{path}: not a readable image of at most {LARGEST_IMAGE} px; put a smaller one there"
        ) from error
    # OpenCV fills the missing part of a truncated JPEG with grey and reports nothing.
    cut_off = data.startswith(JPEG_START) and JPEG_END not in data[-JPEG_TAIL:]
    if pixels is None or cut_off:
        raise RecordError(f"{path}: not a readable image; put a whole one there")
    return np.ascontiguousarray(pixels[..., ::-1]).astype(np.uint8, copy=False)


def write_jpeg(image: Image, path: Path) -> None:
    """Writes RGB (H, W, 3) as JPEG, atomically. Raises OSError if the encoder fails."""
    done, encoded = cv2.imencode(
        ".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    if not done:
        raise OSError(f"{path}: the image of shape {image.shape} cannot be encoded")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def psnr(image: Image, truth: Image) -> float:
    """Computes the peak signal-to-noise ratio, dB, over all pixels and channels.

    It is inf for equal images.

    Raises:
        ValueError: if the shapes differ.
    """
    if image.shape != truth.shape:
        raise ValueError(f"images of one shape are compared; got {image.shape} and {truth.shape}")
    error = float(np.mean((image.astype(np.float64) - truth) ** 2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


class NumberedImages:
    """Frames in files folder/{sequence}/%06d.jpg; a frame store as of `tips.data.frames`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, sequence: str, frame: int) -> Path:
        """Gives the file of one frame."""
        return self.folder / sequence / f"{frame:06d}.jpg"

    def __call__(self, sequence: str, frame: int) -> Image:
        """Reads one frame (H, W, 3) RGB. Raises RecordError naming the file."""
        return read_image(self.path(sequence, frame))
