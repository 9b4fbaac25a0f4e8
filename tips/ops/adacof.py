"""Adaptive collaboration of flows: every pixel is a weighted sum of samples at free positions."""

import torch
from jaxtyping import Float
from torch import Tensor

from tips.ops import native


def adacof(image: Tensor, weights: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Computes AdaCoF with the compiled kernel if there is one, else as `reference`.

    The kernel runs on the CPU alone. It has gradients with respect to weights and moves, but not to
    the image.

    Args:
        image: (B, C, Hp, Wp), padded by K // 2 on every side.
        weights: (B, K * K, H, W) of the taps, row by row.
        rows: (B, K * K, H, W) moves downward, image px.
        columns: (B, K * K, H, W) moves to the right, image px.

    Returns:
        (B, C, H, W), as `reference`.
    """
    if image.device.type == "cpu" and native.serves("cpu") and not image.requires_grad:
        out: Tensor = torch.ops.tips.adacof(image, weights, rows, columns)
        return out
    return reference(image, weights, rows, columns)


def reference(
    image: Float[Tensor, "B C Hp Wp"],
    weights: Float[Tensor, "B taps H W"],
    rows: Float[Tensor, "B taps H W"],
    columns: Float[Tensor, "B taps H W"],
) -> Float[Tensor, "B C H W"]:
    """Samples K x K taps around each pixel, each moved, and sums them. Lee et al., CVPR 2020.

    The published kernel casts a move to int, which truncates toward zero: a negative move has a
    negative fraction, and the bilinear formula then extrapolates. This code does the same,
    because published weights were trained that way.

    Args:
        image: padded by K // 2 on every side.
        weights: weight of each tap, row by row.
        rows: moves downward, image px.
        columns: moves to the right, image px.

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
        places = (row + column).flatten(1)[:, None].expand(-1, channels, -1)
        return flat.gather(2, places).unflatten(2, (height, width))

    out = image.new_zeros(batch, channels, height, width)
    for tap in range(taps):
        down, along = rows[:, tap].trunc(), columns[:, tap].trunc()
        a, b = (rows[:, tap] - down)[:, None], (columns[:, tap] - along)[:, None]
        i, j = y + tap // size + down.long(), x + tap % size + along.long()
        above, below = (k.clamp(0, bottom - 1) * right for k in (i, i + 1))
        before, behind = (k.clamp(0, right - 1) for k in (j, j + 1))
        near = torch.lerp(corner(above, before), corner(below, before), a)
        far = torch.lerp(corner(above, behind), corner(below, behind), a)
        out = torch.addcmul(out, weights[:, tap, None], torch.lerp(near, far, b))
    return out
