"""Random inputs of deformable attention, off the grid where its gradients jump, and comparisons."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from tips.ops import deform_attn as ops
from tips.ops.deform_attn import reference, reference_fused

Shapes = list[tuple[int, int]]


class Case(NamedTuple):
    value: Tensor
    shapes: Shapes
    centres: Tensor
    moves: Tensor
    logits: Tensor
    locations: Tensor
    weights: Tensor


# Of a case: what is tested, what it must equal, and the inputs of both.
Form = Callable[[Case], tuple[Callable[..., Tensor], Callable[..., Tensor], list[Tensor]]]


def plain(given: Case) -> tuple[Callable[..., Tensor], Callable[..., Tensor], list[Tensor]]:
    return (
        lambda v, at, w: ops.deform_attn(v, given.shapes, at, w),
        lambda v, at, w: reference(v, given.shapes, at, w),
        [given.value, given.locations, given.weights],
    )


def fused(given: Case) -> tuple[Callable[..., Tensor], Callable[..., Tensor], list[Tensor]]:
    return (
        lambda v, m, x: ops.deform_attn_fused(v, given.shapes, given.centres.to(v.device), m, x),
        lambda v, m, x: reference_fused(v, given.shapes, given.centres, m, x),
        [given.value, given.moves, given.logits],
    )


def results(f: Callable[..., Tensor], given: list[Tensor], grad: Tensor) -> list[Tensor]:
    """Value and gradients."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in given]
    out = f(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, grad)]


def gradient(given: Case) -> Tensor:
    """Random, of the output's shape."""
    batch, queries, heads = given.locations.shape[:3]
    size = (batch, queries, heads * given.value.shape[-1])
    draw = torch.Generator().manual_seed(1)
    return torch.randn(size, dtype=given.value.dtype, generator=draw)


def worst(found: list[Tensor], expected: list[Tensor]) -> float:
    """Largest difference, relative to each tensor's largest value."""
    return max(
        ((a - b).abs().max() / b.abs().max().clamp_min(1)).item()
        for a, b in zip(found, expected, strict=True)
    )


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
