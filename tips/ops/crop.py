"""Person boxes to crops and back: one affine per window, shared by all its frames."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Affine = NDArray[np.float64]  # (2, 3), image px -> crop px

MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)


def box_affine(
    box: Sequence[float],
    height: int,
    width: int,
    enlarge: float = 1.25,
    rotation: float = 0.0,
    scale: float = 1.0,
) -> Affine:
    """Maps a person box onto the crop.

    The box is padded to the crop's aspect, enlarged, scaled and rotated about its centre. As in
    the HRNet family the box's centre falls on (width / 2, height / 2).

    Args:
        box: x, y, width, height, image px.
        height: height of the crop, crop px.
        width: width of the crop, crop px.
        enlarge: factor on the padded box.
        rotation: degrees, clockwise as seen in the picture (y points down).
        scale: augmentation factor on the box.

    Returns:
        (2, 3), image px -> crop px.

    Raises:
        ValueError: if the box has no area, or if numbers overflow.
    """
    x, y, w, h = box
    if w <= 0 or h <= 0:
        raise ValueError(f"a box must have an area; got {tuple(box)}")
    side = max(h, w * height / width) * enlarge * scale
    zoom = height / side
    angle = np.deg2rad(rotation)
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.array([x + w / 2, y + h / 2])
    shift = np.array([width / 2, height / 2]) - turn @ centre
    affine = np.concatenate([turn, shift[:, None]], axis=1)
    if not np.isfinite(affine).all():
        raise ValueError(
            f"a box and its enlargement must be of a size that a picture can have; "
            f"got {tuple(box)} x {enlarge:g}"
        )
    return affine


def mirror(affine: Affine, width: int) -> Affine:
    """Flips a crop of `width` px left to right."""
    flip = np.array([[-1.0, 0.0, width - 1.0], [0.0, 1.0, 0.0]])
    return compose(flip, affine)


def compose(outer: Affine, inner: Affine) -> Affine:
    """Gives the affine that applies `inner` first and `outer` second."""
    square = np.vstack([inner, [0.0, 0.0, 1.0]])
    return np.asarray(outer @ square)


def invert(affine: Affine) -> Affine:
    """Gives the inverse affine, crop px -> image px."""
    return np.asarray(cv2.invertAffineTransform(affine), dtype=np.float64)


def transform(points: NDArray[np.floating], affine: Affine) -> NDArray[np.float64]:
    """Moves points (..., 2), x then y, by an affine; NaN stays NaN."""
    return np.asarray(points @ affine[:, :2].T + affine[:, 2])


def to_map(affine: Affine, stride: int) -> Affine:
    """Gives the affine from image px to map px: crop px / stride, without a half-pixel shift."""
    return affine / stride


def crop(image: NDArray[np.uint8], affine: Affine, height: int, width: int) -> NDArray[np.uint8]:
    """Cuts a crop out of a full frame, bilinearly, with zeros outside the frame.

    Args:
        image: the frame (H, W, 3).
        affine: (2, 3), image px -> crop px.
        height: height of the crop, crop px.
        width: width of the crop, crop px.

    Returns:
        (height, width, 3).
    """
    cut = cv2.warpAffine(image, affine, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(cut, dtype=np.uint8)
