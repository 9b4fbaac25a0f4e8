"""Blocks that several parts share."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn


class SlowParameters(nn.Module, ABC):
    """A layer some of whose parameters learn at `training.sampling_rate_factor` of the rate."""

    @abstractmethod
    def slow_parameters(self) -> Iterator[nn.Parameter]:
        """Gives these parameters: those that decide where a layer samples."""


class Recomputable(nn.Module):
    """A layer whose activations may be dropped and recomputed in the backward pass.

    It must have no batch norm, whose running statistics would be updated twice.
    """


class ResBlock(nn.Module):
    """Two 3x3 convolutions and a skip: the "basic residual convolution block" of section V-B."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
        )
        self.skip: nn.Module = nn.Identity()
        if channels_in != channels_out:
            self.skip = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        """Maps C to D channels at the same resolution."""
        # Sum and ReLU overwrite the body's result, which nothing else reads.
        out: Tensor = self.body(x).add_(self.skip(x)).relu_()
        return out


def residual_blocks(channels_in: int, channels_out: int, count: int) -> nn.Sequential:
    """Builds the paper's C, a chain of residual blocks; the first one changes the width.

    Args:
        channels_in: channels of the input.
        channels_out: channels of every block's result.
        count: number of blocks.
    """
    widths = [channels_in] + [channels_out] * count
    return nn.Sequential(*(ResBlock(a, b) for a, b in pairwise(widths)))


def group_norm(channels: int) -> nn.GroupNorm:
    """Builds a group norm with Deformable DETR's 32 groups.

    There are fewer where a group would have less than four channels, or where the channels cannot
    be divided into 32 equal groups.
    """
    return nn.GroupNorm(math.gcd(channels, min(32, max(1, channels // 4))), channels)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Sets a layer to output zero, so that what it corrects starts unchanged."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
