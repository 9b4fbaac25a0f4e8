"""Adaptive collaboration of flows: every pixel is a weighted sum of freely moved taps."""

import torch
from jaxtyping import Float
from torch import Tensor


def adacof(
    image: Float[Tensor, "B C Hp Wp"],
    weights: Float[Tensor, "B taps H W"],
    rows: Float[Tensor, "B taps H W"],
    columns: Float[Tensor, "B taps H W"],
) -> Float[Tensor, "B C H W"]:
    """Samples K x K taps around each pixel, each moved, and sums them. Lee et al., CVPR 2020.

    The published kernel casts a move to int, which truncates toward zero: a negative move has a
    negative fraction, and the bilinear formula then extrapolates. Weights trained with it need
    the same here.

    Args:
        image: padded by K // 2 on every side.
        weights: of the taps, row by row.
        rows: moves downward, px.
        columns: moves to the right, px.

    Returns:
        O(i, j) = sum_kl w [(1 - a)(1 - b) I00 + a (1 - b) I10 + (1 - a) b I01 + a b I11], where
        a and b are the fractions of the moves and I at the tap's truncated place, one row and one
        column further, inside the padded image.
    """
    batch, channels, bottom, right = image.shape
    taps, height, width = weights.shape[1:]
    size = round(taps**0.5)
    flat = image.flatten(2)
    y = torch.arange(height, device=image.device)[:, None]
    x = torch.arange(width, device=image.device)

    def corner(row: Tensor, column: Tensor) -> Tensor:
        place = row.clamp(0, bottom - 1) * right + column.clamp(0, right - 1)
        places = place.flatten(1)[:, None].expand(-1, channels, -1)
        return flat.gather(2, places).unflatten(2, (height, width))

    out = image.new_zeros(batch, channels, height, width)
    for tap in range(taps):
        down, along = rows[:, tap], columns[:, tap]
        a, b = (down - down.trunc())[:, None], (along - along.trunc())[:, None]
        i = y + tap // size + down.trunc().long()
        j = x + tap % size + along.trunc().long()
        left = (1 - a) * corner(i, j) + a * corner(i + 1, j)
        right_hand = (1 - a) * corner(i, j + 1) + a * corner(i + 1, j + 1)
        out = out + weights[:, tap, None] * ((1 - b) * left + b * right_hand)
    return out
