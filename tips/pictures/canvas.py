"""Draws frames and skeletons, and writes pictures without a date, so that they repeat exactly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray

from tips import records, skeleton
from tips.ops.image import Image
from tips.video.overlay import COLOURS, side

matplotlib.use("Agg")

from matplotlib import pyplot as plt

View = tuple[float, float, float, float]  # left, top, right, bottom, image px
UNDATED: Mapping[str, Mapping[str, Any]] = {
    ".png": {"dpi": 80, "metadata": {"Software": None}},
    ".jpg": {"dpi": 100, "pil_kwargs": {"quality": 85, "optimize": True}},
}


def show(axis: plt.Axes, image: Image, title: str, view: View | None = None) -> None:
    """Shows a frame, or the part of it inside a view.

    Args:
        axis: the axes to draw on.
        image: the frame (H, W, 3) in RGB.
        title: the text above it.
        view: the part that is shown, in image px; None for the whole frame.
    """
    axis.imshow(image)
    if view is not None:
        axis.set_xlim(view[0], view[2])
        axis.set_ylim(view[3], view[1])
    axis.set_title(title, fontsize=8)
    axis.axis("off")


def bones(
    axis: plt.Axes,
    points: NDArray[np.floating],
    known: NDArray[np.generic],
    body: skeleton.Skeleton,
) -> None:
    """Draws the known joints of a person and the bones between them.

    Args:
        axis: the axes to draw on.
        points: the joints (15, 2) in px of the image on the axes, x then y.
        known: for each joint (15,), whether it is drawn.
        body: which joints the bones connect.
    """
    for a, b in body.bones:
        if known[a] and known[b]:
            colour = COLOURS[side(body, (a, b))]
            axis.plot(points[[a, b], 0], points[[a, b], 1], "-", color=colour, lw=1.6)
    seen = np.asarray(known, dtype=bool)
    axis.plot(points[seen, 0], points[seen, 1], ".", color="white", ms=2.5)


def save(figure: plt.Figure, path: Path) -> None:
    """Writes a figure to a .png or .jpg file, and closes it."""
    with records.atomic_path(path) as temporary:
        figure.savefig(temporary, **UNDATED[path.suffix])
    plt.close(figure)
