"""The convolutional encoder (B, D, H, W) -> (B, D, H, W) that Table III compares with."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.encoders.conv.settings import Settings
from tips.models.layers import zeroed
from tips.ops.deform_conv import deform_conv


class ConvBlock(nn.Module):
    """Modulated deformable 3x3 convolution, batch norm, skip, ReLU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.offset = zeroed(nn.Conv2d(width, 27, 3, padding=1))
        self.weight = nn.Parameter(torch.empty(width, width, 3, 3))
        self.norm = nn.BatchNorm2d(width)
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, x: Float[Tensor, "B D H W"]) -> Float[Tensor, "B D H W"]:
        """Convolves at learned positions, with learned strengths."""
        moves, mask = self.offset(x).split([18, 9], dim=1)
        return torch.relu(self.norm(deform_conv(x, moves, self.weight, mask.sigmoid())) + x)


class ConvEncoder(nn.Sequential):
    """Deformable convolution blocks, as many as the transformer has layers."""

    # Paper: Table III's "convolution" is not specified further; here: modulated deformable 3x3
    # blocks with skips, one per replaced transformer layer, because the text names "deformable
    # convolution blocks". Their offsets learn at the full rate, the transformer's at
    # `sampling_rate_factor` of it: that factor is Deformable DETR's, which has no such blocks.
    def __init__(self, width: int, layers: int) -> None:
        super().__init__(*(ConvBlock(width) for _ in range(layers)))


def build(e: Settings, width: int) -> ConvEncoder:
    """Builds the stack for maps of `width` channels."""
    return ConvEncoder(width, e.layers)
