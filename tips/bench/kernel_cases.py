"""The compiled kernels, each with what it is compared with: pure torch or torchvision."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import deform_conv2d

from tips.bench.paired_timing import Call
from tips.ops import adacof
from tips.ops import deform_attn as ops
from tips.ops.deform_attn import Shapes, reference
from tips.ops.deform_conv import deform_conv


class Shape(NamedTuple):
    """The sizes of one call."""

    batch: int
    maps: Shapes
    heads: int
    width: int


class Duel(NamedTuple):
    """Two ways to compute the same result.

    `theirs` and `ours` hold two calls each: forward alone, and forward with gradients. `traffic` is
    the number of bytes that either way must read and write at least.
    """

    reference: str
    theirs: tuple[Call, Call]
    ours: tuple[Call, Call]
    traffic: int


def attention(shape: Shape) -> Duel:
    """Prepares deformable attention; softmax and locations are computed before, on both sides."""
    value, centres, moves, logits = _inputs(shape)
    locations = _located(shape, centres, moves)
    weights = logits.softmax(2).transpose(2, 3).unflatten(3, (len(shape.maps), 4)).contiguous()
    leaves = [t.requires_grad_() for t in (value, locations, weights)]
    return Duel(
        "tips.ops.deform_attn.reference (grid_sample)",
        _with_gradients(lambda v, at, w: reference(v, shape.maps, at, w), leaves),
        _with_gradients(lambda v, at, w: ops.deform_attn(v, shape.maps, at, w), leaves),
        4 * sum(t.numel() for t in (*leaves, value)),
    )


def fused(shape: Shape) -> Duel:
    """Prepares our deformable attention with softmax and locations outside, against both inside."""
    value, centres, moves, logits = _inputs(shape)
    leaves = [t.requires_grad_() for t in (value, moves, logits)]

    def unfused(v: Tensor, m: Tensor, x: Tensor) -> Tensor:
        weights = x.softmax(2).transpose(2, 3).unflatten(3, (len(shape.maps), 4))
        return ops.deform_attn(v, shape.maps, _located(shape, centres, m), weights)

    return Duel(
        "our op, softmax and locations outside",
        _with_gradients(unfused, leaves),
        _with_gradients(
            lambda v, m, x: ops.deform_attn_fused(v, shape.maps, centres, m, x), leaves
        ),
        4 * sum(t.numel() for t in (*leaves, value)),
    )


def warping() -> Duel:
    """Prepares AdaCoF as VFIT calls it at desk size: 4 frames of 144x192 px, 3x3 taps."""
    draw = torch.Generator().manual_seed(0)
    image = torch.rand(4, 3, 146, 194, generator=draw)
    leaves = [torch.randn(4, 9, 144, 192, generator=draw).requires_grad_() for _ in range(3)]
    return Duel(
        "tips.ops.adacof.reference (gather)",
        _with_gradients(lambda *maps: adacof.reference(image, *maps), leaves),
        _with_gradients(lambda *maps: adacof.adacof(image, *maps), leaves),
        4 * sum(t.numel() for t in (*leaves, image, image)),
    )


def convolution() -> Duel:
    """Prepares a modulated deformable 3x3 convolution of 128 channels on a map of 96x72."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, 128, 96, 72, generator=draw)
    offset = 2 * torch.randn(1, 18, 96, 72, generator=draw)
    weight = torch.randn(128, 128, 3, 3, generator=draw) / 34
    mask = torch.rand(1, 9, 96, 72, generator=draw)
    leaves = [t.requires_grad_() for t in (x, offset, weight, mask)]
    return Duel(
        "torchvision.ops.deform_conv2d",
        _with_gradients(lambda a, o, w, m: deform_conv2d(a, o, w, padding=1, mask=m), leaves),
        _with_gradients(deform_conv, leaves),
        4 * sum(t.numel() for t in (*leaves, x)),
    )


def _with_gradients(call: Callable[..., Tensor], leaves: list[Tensor]) -> tuple[Call, Call]:
    draw = torch.Generator().manual_seed(1)
    grad = torch.randn(call(*leaves).shape, generator=draw)
    return (
        lambda: call(*leaves),
        lambda: torch.autograd.grad(call(*leaves), leaves, grad),
    )


def _inputs(shape: Shape) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draws values, centres, moves of about two map px, and logits, for four points per head."""
    draw = torch.Generator().manual_seed(0)
    cells = sum(height * width for height, width in shape.maps)
    centres = torch.cat(
        [
            torch.cartesian_prod(
                (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
            ).flip(1)
            for height, width in shape.maps
        ]
    )
    levels = len(shape.maps)
    value = torch.randn(shape.batch, cells, shape.heads, shape.width, generator=draw)
    moves = 2 * torch.randn(shape.batch, cells, shape.heads, levels, 4, 2, generator=draw)
    logits = torch.randn(shape.batch, cells, levels * 4, shape.heads, generator=draw)
    return value, centres, moves, logits


def _located(shape: Shape, centres: Tensor, moves: Tensor) -> Tensor:
    sizes = torch.tensor([[width, height] for height, width in shape.maps])[:, None]
    return centres[None, :, None, None, None] + moves / sizes
