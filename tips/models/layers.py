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
        """Names them: those that say where to sample."""


class Recomputable(nn.Module):
    """A layer that may forget its activations until the backward pass: it has no batch norm."""


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
        # In place: the sum is nobody else's.
        out: Tensor = self.body(x).add_(self.skip(x)).relu_()
        return out


def residual_blocks(channels_in: int, channels_out: int, count: int) -> nn.Sequential:
    """The paper's C: `count` residual blocks, the first changes the width."""
    widths = [channels_in] + [channels_out] * count
    return nn.Sequential(*(ResBlock(a, b) for a, b in pairwise(widths)))


def group_norm(channels: int) -> nn.GroupNorm:
    """Group norm with Deformable DETR's 32 groups, fewer where the map is narrow or uneven."""
    return nn.GroupNorm(math.gcd(channels, min(32, max(1, channels // 4))), channels)


def zeroed(layer: nn.Conv2d) -> nn.Conv2d:
    """Sets a layer to output zero, so that what it corrects starts unchanged."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
