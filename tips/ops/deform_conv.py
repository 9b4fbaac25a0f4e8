"""Deformable convolution with modulation (Table III).

On a card torchvision's operator computes it. Its backward pass adds in any order, so trainings of
models with such convolutions do not repeat to the last bit on a card. On a CPU that operator is
several times slower than sampled columns and one matrix product. The columns come from deformable
attention, whose heads are the offset groups and whose weights are the mask; or from grid_sample
if no kernel is built. Tests compare both with torchvision's operator.
"""

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor
from torchvision.ops import deform_conv2d

from tips.ops.deform_attn import deform_attn
from tips.ops.native import backend


def deform_conv(
    x: Float[Tensor, "B C H W"],
    offset: Float[Tensor, "B moves H W"],
    weight: Float[Tensor, "O C k k"],
    mask: Float[Tensor, "B taps H W"],
    dilation: int = 1,
) -> Float[Tensor, "B O H W"]:
    """Applies a k x k deformable convolution, stride 1, size kept, zero outside.

    Args:
        x: input map.
        offset: (dy, dx) per tap, map px, taps row by row as in torchvision; G * 2 * k * k channels,
            where each of the G groups moves C / G channels.
        weight: kernel; there is no bias.
        mask: modulation per tap, G * k * k channels; all ones means no modulation.
        dilation: distance of neighbouring taps, map px; the padding is that times k // 2.
    """
    size = weight.shape[-1]
    if x.is_cuda:
        return deform_conv2d(
            x, offset, weight, padding=dilation * (size // 2), dilation=dilation, mask=mask
        )
    batch, channels, height, width = x.shape
    taps = size * size
    groups = mask.shape[1] // taps
    step = dilation * (torch.arange(size, dtype=x.dtype, device=x.device) - size // 2)
    rows = torch.arange(height, dtype=x.dtype, device=x.device)[:, None] + 0.5
    across = torch.arange(width, dtype=x.dtype, device=x.device)[None, :] + 0.5
    moves = offset.view(batch, groups, taps, 2, height, width)
    # Unit-free, with pixel centres at (i + 0.5) / size: (B, G, k k, H, W, 2).
    locations = torch.stack(
        [
            (moves[:, :, :, 1] + across + step.repeat(size)[:, None, None]) / width,
            (moves[:, :, :, 0] + rows + step.repeat_interleave(size)[:, None, None]) / height,
        ],
        dim=-1,
    )
    masks = mask.view(batch, groups, taps, height, width)
    sample = _by_attention if backend(x.device.type) == "cpp" else _by_grid_sample
    columns = sample(x, locations, masks)
    kernel = weight.view(weight.shape[0], groups, channels // groups, taps)
    flat = kernel.permute(3, 1, 2, 0).reshape(taps * channels, weight.shape[0])
    return (columns @ flat).transpose(1, 2).reshape(batch, -1, height, width)


def _by_attention(x: Tensor, locations: Tensor, masks: Tensor) -> Tensor:
    """Samples columns (B, H W, k k C) by deformable attention.

    There is one query per position and tap, with one point; offset groups are the heads.
    """
    batch, groups, taps, height, width = masks.shape
    value = x.flatten(2).transpose(1, 2).unflatten(2, (groups, -1))
    queries = height * width * taps
    where = locations.permute(0, 3, 4, 2, 1, 5).reshape(batch, queries, groups, 1, 1, 2)
    weights = masks.permute(0, 3, 4, 2, 1).reshape(batch, queries, groups, 1, 1)
    columns = deform_attn(value, [(height, width)], where, weights)
    return columns.view(batch, height * width, -1)


def _by_grid_sample(x: Tensor, locations: Tensor, masks: Tensor) -> Tensor:
    """Samples columns (B, H W, k k C) by grid_sample."""
    batch, groups, taps, height, width = masks.shape
    maps = x.reshape(batch * groups, -1, height, width)
    grid = (2 * locations - 1).view(batch * groups, taps * height, width, 2)
    sampled = nnf.grid_sample(maps, grid, padding_mode="zeros", align_corners=False)
    columns = sampled.view(batch, groups, -1, taps, height, width) * masks[:, :, None]
    return columns.permute(0, 4, 5, 3, 1, 2).reshape(batch, height * width, -1)
