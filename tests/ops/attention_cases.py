"""Random inputs of deformable attention, off the grid where its gradients jump."""

from typing import NamedTuple

import torch
from torch import Tensor

Shapes = list[tuple[int, int]]


class Case(NamedTuple):
    value: Tensor
    shapes: Shapes
    centres: Tensor
    moves: Tensor
    logits: Tensor
    locations: Tensor
    weights: Tensor


def case(
    width: int,
    shapes: Shapes | None = None,
    *,
    batch: int = 2,
    queries: int = 7,
    heads: int = 3,
    points: int = 2,
    dtype: torch.dtype = torch.float64,
) -> Case:
    """Locations from well inside to well outside, never within 0.05 px of a pixel's centre."""
    shapes = shapes or [(5, 4), (3, 2)]
    draw = torch.Generator().manual_seed(width)
    levels, cells = len(shapes), sum(height * columns for height, columns in shapes)
    sizes = torch.tensor([[w, h] for h, w in shapes], dtype=torch.float64)[:, None]
    many = (batch, queries, heads, levels, points, 2)
    pixels = torch.rand(many, dtype=torch.float64, generator=draw) * (sizes + 6) - 3
    off_grid = pixels.floor() + 0.05 + 0.9 * (pixels - pixels.floor())
    locations = (off_grid + 0.5) / sizes
    centres = torch.rand((queries, 2), dtype=torch.float64, generator=draw)
    moves = (locations - centres[None, :, None, None, None]) * sizes
    logits = torch.randn(
        (batch, queries, levels * points, heads), dtype=torch.float64, generator=draw
    )
    weights = logits.softmax(2).transpose(2, 3).unflatten(3, (levels, points))
    value = torch.randn((batch, cells, heads, width), dtype=torch.float64, generator=draw)
    reals = (t.to(dtype) for t in (value, centres, moves, logits, locations, weights))
    value, centres, moves, logits, locations, weights = reals
    return Case(value, shapes, centres, moves, logits, locations, weights.contiguous())
