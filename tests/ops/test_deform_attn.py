import math

import pytest
import torch
from torch import Tensor

from tips.ops.deform_attn import deform_attn, reference
from tips.ops.native import backend

Inputs = tuple[Tensor, list[tuple[int, int]], Tensor, Tensor]


def inputs(shapes: list[tuple[int, int]], seed: int = 0) -> Inputs:
    """Random values; locations from well inside to well outside every map."""
    draw = torch.Generator().manual_seed(seed)
    batch, heads, width, queries, points = 2, 2, 3, 5, 4
    cells = sum(height * columns for height, columns in shapes)
    value = torch.randn(batch, cells, heads, width, dtype=torch.float64, generator=draw)
    size = (batch, queries, heads, len(shapes), points, 2)
    locations = 2 * torch.rand(size, dtype=torch.float64, generator=draw) - 0.5
    weights = torch.rand(size[:-1], dtype=torch.float64, generator=draw)
    return value, shapes, locations, weights / weights.sum((-2, -1), keepdim=True)


def loop(
    value: Tensor, shapes: list[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Deformable attention from its definition: scalars only."""
    batch, _, heads, width = value.shape
    _, queries, _, _, points, _ = locations.shape
    out = torch.zeros(batch, queries, heads, width, dtype=torch.float64)
    for b, q, h, p in torch.cartesian_prod(*map(torch.arange, (batch, queries, heads, points))):
        first = 0
        for level, (height, columns) in enumerate(shapes):
            x = locations[b, q, h, level, p, 0].item() * columns - 0.5
            y = locations[b, q, h, level, p, 1].item() * height - 0.5
            for row in (math.floor(y), math.floor(y) + 1):
                for column in (math.floor(x), math.floor(x) + 1):
                    if 0 <= row < height and 0 <= column < columns:
                        share = (1 - abs(y - row)) * (1 - abs(x - column))
                        cell = value[b, first + row * columns + column, h]
                        out[b, q, h] += weights[b, q, h, level, p] * share * cell
            first += height * columns
    return out.flatten(2)


@pytest.mark.parametrize("shapes", [[(4, 6)], [(5, 3), (3, 2), (1, 1)]])
def test_reference_equals_the_scalar_loop(shapes: list[tuple[int, int]]) -> None:
    given = inputs(shapes)
    assert torch.allclose(reference(*given), loop(*given), atol=1e-12)


def test_pixel_centres_give_the_values_themselves() -> None:
    value, shapes, locations, weights = inputs([(3, 4)])
    rows, columns = torch.meshgrid(torch.arange(3), torch.arange(4), indexing="ij")
    centres = torch.stack([(columns + 0.5) / 4, (rows + 0.5) / 3], -1).flatten(0, 1).double()
    locations = centres[None, :, None, None, None].expand(2, 12, 2, 1, 4, 2)
    weights = weights[:, :1].expand(2, 12, 2, 1, 4)
    assert torch.allclose(reference(value, shapes, locations, weights), value.flatten(2))


def test_locations_far_outside_give_zero() -> None:
    value, shapes, locations, weights = inputs([(3, 4)])
    assert not reference(value, shapes, locations + 3, weights).any()


def test_gradients() -> None:
    value, shapes, locations, weights = inputs([(3, 4), (2, 2)])
    floats = [tensor.requires_grad_() for tensor in (value, locations, weights)]
    assert torch.autograd.gradcheck(lambda v, at, w: reference(v, shapes, at, w), floats)


def test_the_kernel_at_hand_agrees_with_the_reference() -> None:
    assert backend() in ("torch", "cpp")
    value, shapes, locations, weights = inputs([(6, 5)])
    given = (value.float(), shapes, locations.float(), weights.float())
    assert torch.allclose(deform_attn(*given), reference(*given), atol=1e-5)
