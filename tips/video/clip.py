"""A video file or a folder of frames, read in order from the first frame to the last."""

import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np

from tips import LARGEST_IMAGE
from tips.ops.image import Image, read_image
from tips.records import Annotations, Frame, RecordError, Sequence, naming

log = logging.getLogger(__name__)

SUFFIXES: Final = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"))
RATE: Final = 25.0  # frames per second, if the file does not tell
FASTEST: Final = 1000.0  # frames per second that a file can be believed to have
# Formats of files that hold their frames themselves, by FFmpeg's names. Others are playlists,
# which name the files to read, so a stranger's file could show one of yours.
FORMATS: Final = (
    *("mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg"),
    *("mpegvideo", "m4v", "h264", "hevc", "ivf", "flv", "ogg", "asf", "mxf", "nut", "dv", "gif"),
    *("apng", "mjpeg", "yuv4mpegpipe"),
)
# OpenCV hands these on to FFmpeg. FFmpeg's own messages are silenced, because ours say what is
# wrong; it reads that variable when it is first used.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", f"format_whitelist;{','.join(FORMATS)}")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Clip(NamedTuple):
    """A video before its frames are read."""

    path: Path
    width: int
    height: int
    rate: float  # frames per second
    files: tuple[str, ...]  # a name for every frame
    frames: Callable[[], Iterator[Image]]  # decodes from the start, one (H, W, 3) RGB at a time

    @property
    def name(self) -> str:
        """The name of the file or folder, which outputs are named after."""
        path = self.path.resolve()
        return _printable(path.stem if self.path.is_file() else path.name)

    @property
    def annotations(self) -> Annotations:
        """The clip as a split of one sequence whose frames have the ids 0, 1, ..."""
        size = {"width": self.width, "height": self.height}
        with naming(self.path):
            frames = tuple(Frame(file=f, id=k, labelled=True) for k, f in enumerate(self.files))
            sequence = Sequence(name=self.name, motion=self.name, frames=frames, **size)
            return Annotations(dataset=self.name, split="val", root=".", sequences=(sequence,))


def open_clip(path: Path) -> Clip:
    """Opens a video file or a folder of frames.

    Raises:
        RecordError: if there is none, or if nothing in it can be read.
    """
    if path.is_dir():
        return _folder(path)
    if path.is_file():
        judge_name(path)
        return _video(path)
    raise RecordError(f"{path}: no such video or folder; give a video file or a folder of frames")


def judge_name(path: Path) -> None:
    """Refuses a video's name that OpenCV cannot take. Raises RecordError."""
    try:
        str(path.absolute()).encode("utf-8")
    except UnicodeEncodeError as error:
        raise RecordError(
            f"{_printable(str(path))}: its name, or that of a folder above, is not in UTF-8, which "
            "OpenCV needs; rename it"
        ) from error


def _folder(path: Path) -> Clip:
    files = sorted(
        (f for f in path.iterdir() if f.suffix.lower() in SUFFIXES and f.name[0] != "."),
        key=_numerically,
    )
    if not files:
        raise RecordError(f"{path}: no frame in it; frames are {', '.join(sorted(SUFFIXES))}")
    size = read_image(files[0]).shape[:2]
    height, width = size

    def frames() -> Iterator[Image]:
        for file in files:
            yield _of_size(read_image(file), size, str(file))

    # The last two folders and the file, because files of boxes name frames so.
    names = tuple("/".join(map(_printable, file.absolute().parts[-3:])) for file in files)
    return Clip(path, width, height, RATE, names, frames)


def _of_size(image: Image, size: tuple[int, int], name: str) -> Image:
    """Gives the frame back, if it is as large (height, width) as the first one."""
    if image.shape[:2] != size:
        raise RecordError(
            f"{name}: {image.shape[1]}x{image.shape[0]} px, the first frame {size[1]}x{size[0]}; "
            "a video has frames of one size"
        )
    return image


def _printable(name: str) -> str:
    """Writes a file's name as json and terminals can hold it, whatever bytes it is made of."""
    readable = os.fsencode(name).decode("utf-8", "replace")
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in readable)


def _numerically(file: Path) -> list[tuple[int, str]]:
    """Gives a key that sorts frame-2 before frame-10."""
    parts = re.split(r"(\d+)", file.name)
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts]


def _video(path: Path) -> Clip:
    capture = _capture(path)
    width, height = (
        int(capture.get(key)) for key in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    if not 0 < width * height <= LARGEST_IMAGE:
        raise RecordError(
            f"{path}: frames of {width}x{height} px; a video's have at most {LARGEST_IMAGE} px, so "
            "make them smaller"
        )
    rate, promised = capture.get(cv2.CAP_PROP_FPS), int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    # The count in the file's header may be an estimate, and windows need to know where the clip
    # ends. So the frames are counted.
    count = 0
    while capture.grab():
        count += 1
    if not count:
        raise _unreadable(path)
    if count < promised:
        log.warning("%s: %d frames are promised, %d can be decoded", path, promised, count)

    def frames() -> Iterator[Image]:
        again = _capture(path)
        for number in range(count):
            done, pixels = again.read()
            if not done:
                raise RecordError(f"{path}: frame {number} cannot be decoded; convert the video")
            image = np.ascontiguousarray(pixels[..., ::-1])
            yield _of_size(image, (height, width), f"{path}: frame {number}")

    names = tuple(f"{_printable(path.stem)}/{number:06d}.jpg" for number in range(count))
    return Clip(path, width, height, rate if 0 < rate <= FASTEST else RATE, names, frames)


def _capture(path: Path) -> cv2.VideoCapture:
    said = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(0)  # our own line says what is wrong
    # FFmpeg is named because other backends take a file name with a number for a series of images.
    # The whole path is given because FFmpeg would take the start of some names for an address.
    capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    cv2.utils.logging.setLogLevel(said)
    if not capture.isOpened():
        raise _unreadable(path)
    return capture


def _unreadable(path: Path) -> RecordError:
    return RecordError(
        f"{path}: not a video that OpenCV reads; convert it (ffmpeg -i IN OUT.mp4), or give a "
        "folder of its frames"
    )
