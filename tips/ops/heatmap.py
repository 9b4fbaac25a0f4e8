"""The heat-map codec: joints -> Gaussian maps, maps -> joints and scores."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as nnf

Decoding = Literal["plain", "quarter", "dark"]
PAPER_HEIGHT = 96  # height of the paper's maps; sigma and losses are stated in their px


def sigma(height: int) -> float:
    """Computes a target Gaussian's standard deviation, map px: 3 on a 96-high map, at least 1."""
    # Paper: sigma 3 on maps 96 high; here: the same share of the map, but at least 1 px (on desk's
    # maps, 16 high, 6 px of the paper's), because a narrower Gaussian is a single pixel.
    return max(1.0, 3.0 * height / PAPER_HEIGHT)


def encode(
    joints: NDArray[np.float32], weights: NDArray[np.float32], height: int, width: int
) -> NDArray[np.float32]:
    """Draws one Gaussian of peak 1 per joint, as the HRNet family does.

    Its centre is rounded to a whole pixel. The map is zero beyond three sigma, and everywhere if
    the joint's weight is zero.

    Args:
        joints: (..., J, 2) x then y, map px.
        weights: (..., J) 0 or 1.
        height: height of the map, map px.
        width: width of the map, map px.

    Returns:
        (..., J, height, width), in [0, 1].
    """
    spread = sigma(height)
    radius = np.floor(3 * spread)
    centre = np.floor(np.nan_to_num(joints) + 0.5)
    dx = np.arange(width, dtype=np.float32)[None, :] - centre[..., 0, None, None]
    dy = np.arange(height, dtype=np.float32)[:, None] - centre[..., 1, None, None]
    near = (np.abs(dx) <= radius) & (np.abs(dy) <= radius)
    maps = np.exp(-(dx**2 + dy**2) / (2 * spread**2)) * near * weights[..., None, None]
    return maps.astype(np.float32)


def decode(
    maps: Float[Tensor, "B J H W"], mode: Decoding
) -> tuple[Float[Tensor, "B J 2"], Float[Tensor, "B J"]]:
    """Finds each map's peak.

    `plain` takes the highest pixel. `quarter` shifts it by 0.25 px towards the larger neighbour on
    each axis, except within one pixel of the border (the rule of the HRNet family). `dark` smooths
    the map with the targets' Gaussian and takes one Newton step on its logarithm, which is exact
    for a Gaussian, except within two pixels of the border (DARK, Zhang et al., CVPR 2020). A map
    without a positive value decodes to (0, 0).

    Args:
        maps: predicted heat maps.
        mode: `plain`, `quarter` or `dark`.

    Returns:
        Joints in map px, x then y, and the peak values.
    """
    height, width = maps.shape[-2:]
    scores, flat = maps.flatten(-2).max(dim=-1)
    x, y = flat % width, flat // width
    joints = torch.stack([x, y], dim=-1).to(maps.dtype)
    if mode == "quarter":
        inside = (x > 1) & (x < width - 1) & (y > 1) & (y < height - 1)
        at = _Around(maps, x.clamp(1, width - 2), y.clamp(1, height - 2))
        shift = torch.stack([at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)], dim=-1)
        joints = joints + 0.25 * torch.sign(shift) * inside[..., None]
    if mode == "dark":
        inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
        smooth = torch.log(_smoothed(maps).clamp(min=1e-10))
        step = _newton_step(_Around(smooth, x.clamp(2, width - 3), y.clamp(2, height - 3)))
        joints = joints + step * inside[..., None]
    return joints * (scores > 0)[..., None], scores


class _Around:
    """Reads values of maps (B, J, H, W) at an offset from one pixel (x, y) of each map."""

    def __init__(self, maps: Tensor, x: Tensor, y: Tensor) -> None:
        self.rows, self.width = maps.flatten(-2), maps.shape[-1]
        self.x, self.y = x, y

    def __call__(self, dx: int, dy: int) -> Tensor:
        place = (self.y + dy) * self.width + self.x + dx
        return self.rows.gather(-1, place[..., None])[..., 0]


def _smoothed(maps: Tensor) -> Tensor:
    """Blurs maps by the Gaussian that targets are drawn with; values outside are zero."""
    spread = sigma(maps.shape[-2])
    radius = int(3 * spread)
    line = torch.arange(-radius, radius + 1, device=maps.device, dtype=maps.dtype)
    kernel = torch.exp(-(line**2) / (2 * spread**2))
    kernel = kernel / kernel.sum()
    flat = maps.flatten(0, 1)[:, None]
    flat = nnf.conv2d(flat, kernel[None, None, :, None], padding=(radius, 0))
    flat = nnf.conv2d(flat, kernel[None, None, None, :], padding=(0, radius))
    return flat.view_as(maps)


def _newton_step(at: _Around) -> Tensor:
    """Computes the step, map px, to the top of the paraboloid through a peak's neighbours.

    It is 0 where the neighbours lie on no paraboloid that has a top.
    """
    dx, dy = (at(1, 0) - at(-1, 0)) / 2, (at(0, 1) - at(0, -1)) / 2
    dxx = (at(2, 0) - 2 * at(0, 0) + at(-2, 0)) / 4
    dyy = (at(0, 2) - 2 * at(0, 0) + at(0, -2)) / 4
    dxy = (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1)) / 4
    curvature = dxx * dyy - dxy**2
    peak = (curvature > 0) & (dxx < 0)
    step = torch.stack([dxy * dy - dyy * dx, dxy * dx - dxx * dy], dim=-1)
    return step / torch.where(peak, curvature, 1)[..., None] * peak[..., None]


def px_weight(height: int) -> float:
    """Gives the weight of 1 px of a map relative to 1 px of a 96-high one.

    It is the ratio of the areas of their targets' Gaussians.
    """
    return 9.0 / sigma(height) ** 2


def heatmap_error(
    maps: Float[Tensor, "B g H W"],
    target: Float[Tensor, "B g H W"],
    weights: Float[Tensor, "B g"],
    joints: int,
) -> Float[Tensor, ""]:
    """Sums squared differences over pixels and joints, divided by the number of all joints.

    The unit is that of a 96-high map with sigma 3 at every resolution: an all-zero prediction
    costs about 9 pi per annotated joint everywhere.

    Args:
        maps: predicted heat maps of g joints.
        target: heat maps of the annotated joints, peak 1.
        weights: 1 where a joint is annotated, else 0.
        joints: J, the divisor; it stays J where only a group's g joints are given.
    """
    # Paper: ||.|| of Eq. 6 without a reduction; here: squared, summed over px, mean over all J
    # joints, because with a mean over px the other losses (px, nats) would be 1000 times larger.
    squared = ((maps - target) ** 2).sum(dim=(-2, -1))
    return px_weight(maps.shape[-2]) * (weights * squared).sum() / (maps.shape[0] * joints)
