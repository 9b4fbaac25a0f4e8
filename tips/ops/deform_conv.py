"""Deformable convolution with modulation (Table III), built from grid_sample columns.

torchvision's operator is the oracle and the CUDA path; on CPU columns by grid_sample and one
matrix product are several times faster.
"""

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor
from torchvision.ops import deform_conv2d


def deform_conv(
    x: Float[Tensor, "B C H W"],
    offset: Float[Tensor, "B moves H W"],
    weight: Float[Tensor, "O C k k"],
    mask: Float[Tensor, "B taps H W"],
) -> Float[Tensor, "B O H W"]:
    """Applies a k x k deformable convolution, stride 1, padding k // 2, zero outside.

    Args:
        x: input map.
        offset: px, (dy, dx) per tap, taps row by row as torchvision has them; 2 k k channels.
        weight: kernel, no bias.
        mask: modulation per tap; k k channels.
    """
    if x.is_cuda:
        return deform_conv2d(x, offset, weight, padding=weight.shape[-1] // 2, mask=mask)
    batch, channels, height, width = x.shape
    size = weight.shape[-1]
    taps = size * size
    step = torch.arange(size, dtype=x.dtype) - size // 2
    base_y = torch.arange(height, dtype=x.dtype)[None, None, :, None] + step.repeat_interleave(
        size
    ).view(1, taps, 1, 1)
    base_x = torch.arange(width, dtype=x.dtype)[None, None, None, :] + step.repeat(size).view(
        1, taps, 1, 1
    )
    moves = offset.view(batch, taps, 2, height, width)
    grid = torch.stack(
        [
            (base_x + moves[:, :, 1]) * (2 / width) + (1 / width - 1),
            (base_y + moves[:, :, 0]) * (2 / height) + (1 / height - 1),
        ],
        dim=-1,
    )
    columns = nnf.grid_sample(
        x, grid.view(batch, taps * height, width, 2), padding_mode="zeros", align_corners=False
    ).view(batch, channels, taps, height, width)
    return torch.einsum("bcthw,oct->bohw", columns * mask[:, None], weight.flatten(2))
