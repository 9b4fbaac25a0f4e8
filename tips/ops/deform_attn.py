"""Multi-scale deformable attention: the pure-torch reference and the seam for the kernel."""

from collections.abc import Callable

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor

Shapes = list[tuple[int, int]]
Kernel = Callable[[Tensor, Shapes, Tensor, Tensor], Tensor]


def reference(
    value: Float[Tensor, "B S h d"],
    shapes: Shapes,
    locations: Float[Tensor, "B Q h L P 2"],
    weights: Float[Tensor, "B Q h L P"],
) -> Float[Tensor, "B Q hd"]:
    """Samples and sums: the grid_sample form that every public fallback uses.

    Zero outside the map; location (0, 0) is the top-left corner of the map, (1, 1) the
    bottom-right one, so a pixel's centre lies at (i + 0.5) / size.

    Args:
        value: values of all levels, S = sum of height * width over levels, h heads of width d.
        shapes: (height, width) of each level.
        locations: x then y, unit-free, may lie outside [0, 1].
        weights: attention, summing to 1 over (L, P).

    Returns:
        The heads' outputs side by side.
    """
    batch, _, heads, channels = value.shape
    queries, points = locations.shape[1], locations.shape[4]
    levels = value.split([height * width for height, width in shapes], dim=1)
    grids = 2 * locations - 1
    samples = []
    for level, (height, width) in enumerate(shapes):
        maps = levels[level].permute(0, 2, 3, 1).reshape(batch * heads, channels, height, width)
        grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)
        samples.append(nnf.grid_sample(maps, grid, padding_mode="zeros", align_corners=False))
    sampled = torch.stack(samples, dim=-2).flatten(-2)
    scale = weights.transpose(1, 2).reshape(batch * heads, 1, queries, len(shapes) * points)
    summed = (sampled * scale).sum(-1).view(batch, heads * channels, queries)
    return summed.transpose(1, 2).contiguous()


_kernel: Kernel = reference


def backend() -> str:
    """Names what computes deformable attention; recorded with every run."""
    return "torch" if _kernel is reference else "cpp"


def deform_attn(value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor) -> Tensor:
    """Computes deformable attention with the best kernel at hand; arguments as `reference`."""
    return _kernel(value, shapes, locations, weights)
