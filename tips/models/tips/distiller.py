"""Pose distillation, Fig. 2c: one branch per part group, and their aggregation."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.models.layers import residual_blocks, zeroed


class Distilled(NamedTuple):
    """Result of the distillation of z."""

    z_tilde: Float[Tensor, "B D H W"]
    z_i: Float[Tensor, "B N D H W"]
    group_maps: tuple[Float[Tensor, "B g H W"], ...]


class PoseDistiller(nn.Module):
    """N encoders on z, a heat-map head on each, and residual blocks that aggregate them to z~.

    Args:
        width: D, channels of z, of every z_i and of z~.
        groups: joint ids of each of the N part groups.
        encoders: one per group, each (B, D, H, W) -> (B, D, H, W).
        blocks: number of residual blocks of the aggregation.
    """

    # Paper: "every pair" of z_i and its heat maps goes "into a convolution block"; here: all pairs
    # side by side go into one stack of blocks, because N stacks would still need something that
    # joins them to z~, and one fits the parameters of Table VIII.
    def __init__(
        self,
        width: int,
        groups: Sequence[Sequence[int]],
        encoders: Sequence[nn.Module],
        blocks: int,
    ) -> None:
        super().__init__()
        self.groups = [list(group) for group in groups]
        self.branches = nn.ModuleList(encoders)
        self.heads = nn.ModuleList(zeroed(nn.Conv2d(width, len(g), 1)) for g in self.groups)
        self.aggregate = residual_blocks(len(self.groups) * width + skeleton.COUNT, width, blocks)

    def forward(self, z: Float[Tensor, "B D H W"], start: Float[Tensor, "B J H W"]) -> Distilled:
        """Distils z; `start` are the heat maps that the groups' heads correct."""
        z_i = [branch(z) for branch in self.branches]
        maps = tuple(
            start[:, group] + head(branch)
            for group, head, branch in zip(self.groups, self.heads, z_i, strict=True)
        )
        pairs = [part for pair in zip(z_i, maps, strict=True) for part in pair]
        return Distilled(self.aggregate(torch.cat(pairs, 1)), torch.stack(z_i, 1), maps)


class NoDistillation(nn.Module):
    """Stands in where there is no distillation: z~ is z."""

    def forward(self, z: Float[Tensor, "B D H W"], start: Float[Tensor, "B J H W"]) -> Distilled:
        """Returns z itself and no group."""
        return Distilled(z, z.new_zeros(z.shape[0], 0, *z.shape[1:]), ())
