"""Skeletons on the frames of a video, and the mp4 file that they go into."""

import colorsys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from tips import skeleton
from tips.ops.image import Image
from tips.records import Box, Pose, RecordError, atomic_path

COLOURS: Final = {"left": "#ff9f1c", "right": "#2ec4b6", "": "#f1faee"}
# A joint is drawn from this score on, as the family's tools do (IN_VIS_THRE).
SEEN: Final = 0.2
CODEC: Final = "mp4v"  # MPEG-4 part 2: the one that every wheel of OpenCV writes into mp4 quickly
TICKS: Final = 65535  # a second has no more in MPEG-4 part 2
_SHIFT: Final = 4  # fractional bits of drawn coordinates
_FAR: Final = 2**20


def side(body: skeleton.Skeleton, bone: tuple[int, int]) -> str:
    """`left`, `right`, or `` for a bone from side to side: the key of its colour."""
    names = [body.joints[joint] for joint in bone]
    return next((s for s in ("left", "right") if all(s in name for name in names)), "")


def draw_people(
    image: Image, people: Sequence[tuple[Pose, Box]], body: skeleton.Skeleton = skeleton.POSETRACK
) -> Image:
    """Draws poses with their boxes and track ids onto a copy of a frame (H, W, 3) RGB."""
    canvas = image.copy()
    thick = max(2, round(max(image.shape[:2]) / 400))
    for pose, box in people:
        _draw_box(canvas, pose, box, thick)
        scored = zip(pose.joints, pose.scores, strict=True)
        seen = [point is not None and score >= SEEN for point, score in scored]
        points = [_fixed(point or (0.0, 0.0)) for point in pose.joints]
        for bone in body.bones:
            if all(seen[joint] for joint in bone):
                a, b = (points[joint] for joint in bone)
                cv2.line(canvas, a, b, _rgb(COLOURS[side(body, bone)]), thick, cv2.LINE_AA, _SHIFT)
        for point, visible in zip(points, seen, strict=True):
            if visible:
                radius = thick << _SHIFT
                cv2.circle(canvas, point, radius, (255, 255, 255), -1, cv2.LINE_AA, _SHIFT)
    return canvas


def _draw_box(canvas: Image, pose: Pose, box: Box, thick: int) -> None:
    # Steps of the golden ratio keep the hues of neighbouring ids apart.
    hue = pose.track * 0.618034 % 1
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.7, 1.0))
    colour = (red, green, blue)
    # Far outside a frame they would overflow OpenCV's integers.
    corners = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
    x, y, right, bottom = np.clip(np.rint(corners), -_FAR, _FAR).astype(int).tolist()
    cv2.rectangle(canvas, (x, y), (right, bottom), colour, thick // 2)
    place = (max(x, 0) + 2, max(y, 0) + 12 * thick)
    cv2.putText(
        *(canvas, str(pose.track), place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick),
        *(colour, thick, cv2.LINE_AA),
    )


def _fixed(point: tuple[float, float]) -> tuple[int, int]:
    """Fixed-point coordinates; far outside a frame they would overflow OpenCV's integers."""
    x, y = np.clip(np.rint(np.array(point) * 2**_SHIFT), -_FAR, _FAR).astype(int)
    return int(x), int(y)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@contextmanager
def write_video(path: Path, width: int, height: int, rate: float) -> Iterator[Callable[..., None]]:
    """Opens an mp4 file that appears under its name only when complete and readable.

    Args:
        path: ends in .mp4.
        width: of every frame, px.
        height: of every frame, px.
        rate: frames per second.

    Yields:
        A function that adds one frame (H, W, 3) RGB.

    Raises:
        RecordError: OpenCV cannot write there.
    """
    with atomic_path(path) as temporary:
        fourcc = cv2.VideoWriter.fourcc(*CODEC)
        size = (width, height)
        rate = _writable(rate)
        writer = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, fourcc, rate, size)
        if not writer.isOpened():
            raise RecordError(f"{path}: OpenCV cannot write {width}x{height} at {rate:g} fps there")
        written = 0

        def add(image: Image) -> None:
            nonlocal written
            writer.write(np.ascontiguousarray(image[..., ::-1]))
            written += 1

        try:
            yield add
        finally:
            writer.release()
        _check(temporary, path, written)


def _writable(rate: float) -> float:
    """Rounds a rate to as many decimals as OpenCV can turn into ticks, three at the most."""
    digits = max(n for n in range(4) if n == 0 or rate * 10**n <= TICKS)
    return round(rate, digits)


def _check(temporary: Path, path: Path, written: int) -> None:
    """The writer keeps silent about a full disk."""
    found = int(cv2.VideoCapture(str(temporary), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FRAME_COUNT))
    if found != written:
        raise RecordError(f"{path}: {found} of {written} frames were written; is the disk full?")
