"""Multi-scale deformable attention: compiled kernels if they are built, else pure torch."""

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor

from tips.ops import native

Shapes = list[tuple[int, int]]


def reference(
    value: Float[Tensor, "B S h d"],
    shapes: Shapes,
    locations: Float[Tensor, "B Q h L P 2"],
    weights: Float[Tensor, "B Q h L P"],
) -> Float[Tensor, "B Q hd"]:
    """Computes deformable attention with grid_sample, as every public fallback does.

    Values outside the map are zero. Location (0, 0) is the top-left corner of the map and (1, 1)
    the bottom-right one, so a pixel's centre lies at (i + 0.5) / size.

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


def reference_fused(
    value: Float[Tensor, "B S h d"],
    shapes: Shapes,
    centres: Float[Tensor, "Q 2"],
    moves: Float[Tensor, "B Q h L P 2"],
    logits: Float[Tensor, "B Q LP h"],
) -> Float[Tensor, "B Q hd"]:
    """Computes deformable attention from offsets and logits.

    It computes locations and weights itself and then does what `reference` does.

    Args:
        value: values of all levels, as in `reference`.
        shapes: (height, width) of each level.
        centres: positions of the queries, x then y, unit-free in (0, 1).
        moves: offsets from there to the samples, x then y, px of the sample's level.
        logits: of the attention; the softmax goes over levels and points. The heads are the last
            axis, because a softmax over a few innermost values takes several times longer.

    Returns:
        The heads' outputs side by side.
    """
    levels, points = moves.shape[3:5]
    sizes = moves.new_tensor([[width, height] for height, width in shapes])
    locations = centres[None, :, None, None, None] + moves / sizes[:, None]
    weights = logits.softmax(2).transpose(2, 3).unflatten(3, (levels, points))
    return reference(value, shapes, locations, weights)


def deform_attn(
    value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor
) -> Float[Tensor, "B Q hd"]:
    """Computes `reference` with the compiled kernel of the device, if there is one.

    Args:
        value: (B, S, h, d) values of all levels.
        shapes: (height, width) of each level.
        locations: (B, Q, h, L, P, 2) x then y, unit-free, may lie outside [0, 1].
        weights: (B, Q, h, L, P) attention.
    """
    if not native.serves(value.device.type):
        return reference(value, shapes, locations, weights)
    return _compiled(value, shapes, locations, weights, None)


def deform_attn_fused(
    value: Tensor, shapes: Shapes, centres: Tensor, moves: Tensor, logits: Tensor
) -> Float[Tensor, "B Q hd"]:
    """Computes `reference_fused` with the compiled kernel of the device, if there is one.

    Args:
        value: (B, S, h, d) values of all levels.
        shapes: (height, width) of each level.
        centres: (Q, 2) positions of the queries, x then y, unit-free in (0, 1).
        moves: (B, Q, h, L, P, 2) offsets to the samples, x then y, px of the sample's level.
        logits: (B, Q, L * P, h) of the attention.
    """
    if not native.serves(value.device.type):
        return reference_fused(value, shapes, centres, moves, logits)
    return _compiled(value, shapes, moves, logits, centres)


def _compiled(
    value: Tensor, shapes: Shapes, locations: Tensor, weights: Tensor, centres: Tensor | None
) -> Tensor:
    # The CPU kernel has no half-precision form, so there the values take the locations' type.
    given = value if value.is_cuda else value.to(locations.dtype)
    flat = [size for shape in shapes for size in shape]
    out: Tensor = torch.ops.tips.deform_attn(given, flat, locations, weights, centres)
    return out.to(value.dtype)
