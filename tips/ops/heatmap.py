"""The heat-map codec: joints -> Gaussian maps, maps -> joints and scores."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

PAPER_HEIGHT = 96  # map height of the paper; sigma and losses are stated in its px


def sigma(height: int) -> float:
    """Standard deviation of a target Gaussian, map px: 3 at 96 rows, never below 1."""
    return max(1.0, 3.0 * height / PAPER_HEIGHT)


def encode(
    joints: NDArray[np.float32], weights: NDArray[np.float32], height: int, width: int
) -> NDArray[np.float32]:
    """Draws one Gaussian of peak 1 per joint, as the HRNet family does.

    The centre is rounded to a cell, and the map is zero beyond three sigma and where the joint's
    weight is zero.

    Args:
        joints: (J, 2) x then y, map px.
        weights: (J,) 0 or 1.
        height: rows of the map.
        width: columns of the map.

    Returns:
        (J, height, width).
    """
    spread = sigma(height)
    radius = np.floor(3 * spread)
    centre = np.floor(np.nan_to_num(joints) + 0.5)
    dx = np.arange(width, dtype=np.float32)[None, None, :] - centre[:, 0, None, None]
    dy = np.arange(height, dtype=np.float32)[None, :, None] - centre[:, 1, None, None]
    near = (np.abs(dx) <= radius) & (np.abs(dy) <= radius)
    maps = np.exp(-(dx**2 + dy**2) / (2 * spread**2)) * near * weights[:, None, None]
    return maps.astype(np.float32)


def decode(
    maps: Float[Tensor, "B J H W"], mode: Literal["plain", "quarter"]
) -> tuple[Float[Tensor, "B J 2"], Float[Tensor, "B J"]]:
    """Finds each map's peak.

    `quarter` shifts the peak by 0.25 px towards the larger neighbour on each axis, where the peak
    is not within one cell of the border (the family's rule). A map without a positive value
    decodes to (0, 0).

    Args:
        maps: predicted heat maps.
        mode: `plain` or `quarter`.

    Returns:
        Joints in map px (x then y) and the peak values.
    """
    height, width = maps.shape[-2:]
    scores, flat = maps.flatten(-2).max(dim=-1)
    x, y = flat % width, flat // width
    joints = torch.stack([x, y], dim=-1).to(maps.dtype)
    if mode == "quarter":
        inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
        cx, cy = x.clamp(1, width - 2), y.clamp(1, height - 2)
        rows = maps.flatten(-2)

        def at(column: Tensor, row: Tensor) -> Tensor:
            return rows.gather(-1, (row * width + column)[..., None])[..., 0]

        shift = torch.stack(
            [at(cx + 1, cy) - at(cx - 1, cy), at(cx, cy + 1) - at(cx, cy - 1)], dim=-1
        )
        joints = joints + 0.25 * torch.sign(shift) * inside[..., None]
    return joints * (scores > 0)[..., None], scores
