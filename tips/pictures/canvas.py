"""What the stage `pictures` draws with: frames, skeletons, and files without a date in them."""

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

View = tuple[float, float, float, float]  # left, top, right, bottom, px
UNDATED: Mapping[str, Mapping[str, Any]] = {
    ".png": {"dpi": 80, "metadata": {"Software": None}},
    ".jpg": {"dpi": 100, "pil_kwargs": {"quality": 85, "optimize": True}},
}


def show(axis: plt.Axes, image: Image, title: str, view: View | None = None) -> None:
    """Shows a frame, or the part of it inside a view."""
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
    """Draws the known joints of a person (15, 2) and the bones between them."""
    for a, b in body.bones:
        if known[a] and known[b]:
            colour = COLOURS[side(body, (a, b))]
            axis.plot(points[[a, b], 0], points[[a, b], 1], "-", color=colour, lw=1.6)
    seen = np.asarray(known, dtype=bool)
    axis.plot(points[seen, 0], points[seen, 1], ".", color="white", ms=2.5)


def save(figure: plt.Figure, path: Path) -> None:
    """Writes a picture, .png or .jpg, and closes it."""
    with records.atomic_path(path) as temporary:
        figure.savefig(temporary, **UNDATED[path.suffix])
    plt.close(figure)
