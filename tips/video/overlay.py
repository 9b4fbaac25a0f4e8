"""Draws skeletons on the frames of a video, and writes the frames to an mp4 file."""

import colorsys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from tips import skeleton
from tips.ops.image import Image
from tips.records import Box, Pose, RecordError

COLOURS: Final = {"left": "#ff9f1c", "right": "#2ec4b6", "": "#f1faee"}
# Joints of this score or more are drawn, as in the HRNet family's tools (IN_VIS_THRE).
SEEN: Final = 0.2
CODEC: Final = "mp4v"  # MPEG-4 part 2, which every wheel of OpenCV can write, and quickly
TICKS: Final = 65535  # the finest division of a second in MPEG-4 part 2
_SHIFT: Final = 4  # fractional bits of drawn coordinates
_FAR: Final = 2**20


def side(body: skeleton.Skeleton, bone: tuple[int, int]) -> str:
    """Gives a bone's key of `COLOURS`: "left", "right", or "" if it joins both sides."""
    names = [body.joints[joint] for joint in bone]
    return next((s for s in ("left", "right") if all(s in name for name in names)), "")


def draw_people(
    image: Image, people: Sequence[tuple[Pose, Box]], body: skeleton.Skeleton = skeleton.POSETRACK
) -> Image:
    """Draws poses with their boxes and track ids.

    Args:
        image: a frame (H, W, 3) RGB; it is not changed.
        people: pose and box of each person, image px.
        body: the skeleton, which names the bones.

    Returns:
        The drawn frame (H, W, 3) RGB.
    """
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
    # Hues advance by the golden ratio, so that consecutive ids have very different colours.
    hue = pose.track * 0.618034 % 1
    red, green, blue = (round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.7, 1.0))
    colour = (red, green, blue)
    # Coordinates far outside a frame would overflow OpenCV's integers.
    corners = np.array([box[0], box[1], box[0] + box[2], box[1] + box[3]])
    x, y, right, bottom = np.clip(np.rint(corners), -_FAR, _FAR).astype(int).tolist()
    cv2.rectangle(canvas, (x, y), (right, bottom), colour, thick // 2)
    place = (max(x, 0) + 2, max(y, 0) + 12 * thick)
    cv2.putText(
        *(canvas, str(pose.track), place, cv2.FONT_HERSHEY_SIMPLEX, 0.4 * thick),
        *(colour, thick, cv2.LINE_AA),
    )


def _fixed(point: tuple[float, float]) -> tuple[int, int]:
    """Converts a point to fixed point, clipped so that OpenCV's integers do not overflow."""
    x, y = np.clip(np.rint(np.array(point) * 2**_SHIFT), -_FAR, _FAR).astype(int)
    return int(x), int(y)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


@contextmanager
def write_video(
    path: Path, width: int, height: int, rate: float, final: Path | None = None
) -> Iterator[Callable[..., None]]:
    """Writes an mp4 file, and checks at the end that all of it can be read.

    Args:
        path: the file, which ends in .mp4.
        width: width of every frame, image px.
        height: height of every frame, image px.
        rate: frames per second.
        final: the name that the file will get, for messages; None: it has its name already.

    Yields:
        A function that adds one frame (H, W, 3) RGB.

    Raises:
        RecordError: if OpenCV cannot write there, or did not write every frame.
    """
    fourcc = cv2.VideoWriter.fourcc(*CODEC)
    size = (width, height)
    rate = _writable(rate)
    name = final or path
    writer = cv2.VideoWriter(str(path.absolute()), cv2.CAP_FFMPEG, fourcc, rate, size)
    if not writer.isOpened():
        raise RecordError(f"{name}: OpenCV cannot write {width}x{height} at {rate:g} fps there")
    written = 0

    def add(image: Image) -> None:
        nonlocal written
        writer.write(np.ascontiguousarray(image[..., ::-1]))
        written += 1

    try:
        yield add
    finally:
        writer.release()
    _check(path, name, written)


def _writable(rate: float) -> float:
    """Rounds a rate to as many decimals as MPEG-4 can represent, three at most."""
    digits = max(n for n in range(4) if n == 0 or rate * 10**n <= TICKS)
    return round(rate, digits)


def _check(temporary: Path, path: Path, written: int) -> None:
    """Counts the written frames, because OpenCV's writer does not report a full disk."""
    found = int(
        cv2.VideoCapture(str(temporary.absolute()), cv2.CAP_FFMPEG).get(cv2.CAP_PROP_FRAME_COUNT)
    )
    if found != written:
        raise RecordError(f"{path}: {found} of {written} frames were written; is the disk full?")
