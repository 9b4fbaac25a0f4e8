"""PoseWarper (Bertasius et al., NeurIPS 2019): heat maps of neighbours, warped to frame t."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.config import Parts
from tips.models.baselines.deform import DeformConv, scaled
from tips.models.baselines.posewarper.settings import Settings
from tips.models.baselines.rival import Rival
from tips.models.heads import BackboneStart
from tips.models.interfaces import Backbone
from tips.models.layers import residual_blocks
from tips.tensors import PoseOutput, Seen

SHARES = (0.1, 0.25, 0.3, 0.25, 0.1)  # weight of each frame's warped maps in the mean
DILATIONS = (3, 6, 12, 18, 24)  # map px, on a map that is 96 px high


class Warp(nn.Module):
    """Heat maps of two frames -> those of the second, warped to the first.

    Fresh weights move nothing.

    Args:
        width: D, channels of the offset features.
        blocks: number of residual blocks of the offset features.
        dilations: dilation of each deformable convolution, map px.
        joints: J.
    """

    def __init__(
        self, width: int, blocks: int, dilations: tuple[int, ...], joints: int = skeleton.COUNT
    ) -> None:
        super().__init__()
        self.features = residual_blocks(joints, width, blocks)
        self.resample = nn.ModuleList(
            DeformConv(width, joints, joints, dilation) for dilation in dilations
        )

    def forward(
        self, now: Float[Tensor, "B J h w"], other: Float[Tensor, "B J h w"]
    ) -> tuple[Float[Tensor, "B J h w"], Float[Tensor, "B D h w"]]:
        """Warps the heat maps of another frame to this one.

        Returns:
            The warped heat maps, and the features that the offsets were read from.
        """
        guide = self.features(now - other)
        warped = [resample(other, guide) for resample in self.resample]
        return torch.stack(warped).mean(0), guide


class PoseWarper(Rival):
    """Learns from frame t and one random frame of the window; predicts a mean over all frames.

    It always warps the backbone's heat maps, so fresh weights predict their weighted mean. It has
    no setting `head.start`.

    Args:
        backbone: frozen.
        t: position of frame t in the window.
        warp: the trained part.
    """

    shares: Tensor

    def __init__(self, backbone: Backbone, t: int, warp: Warp) -> None:
        super().__init__(backbone, BackboneStart(), t)
        self.warp = warp
        self.register_buffer("shares", torch.tensor(SHARES), persistent=False)

    def estimate(self, seen: Seen) -> PoseOutput:
        """Estimates the heat maps of frame t; interim frames are not read."""
        F = seen.F
        maps = self.start(F.flatten(0, 1), self.backbone).unflatten(0, F.shape[:2])
        chosen, shares = self._chosen(maps)
        others = maps[torch.arange(len(maps), device=maps.device)[:, None], chosen]
        now = maps[:, self.t, None].expand_as(others)
        pairs, _ = self.warp(now.flatten(0, 1), others.flatten(0, 1))
        warped = (shares[..., None, None, None] * pairs.unflatten(0, shares.shape)).sum(1)
        return PoseOutput(warped, F)

    def _chosen(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Chooses the frames that each sample warps, and the weight of each in the mean.

        In training that is one random frame, else all of them.
        """
        batch, frames = maps.shape[:2]
        if self.training:
            # Drawn on the CPU, so that a seed gives the same frames on every device.
            drawn = torch.randint(frames, (batch, 1), device="cpu")
            return drawn.to(maps.device), maps.new_ones(batch, 1)
        every = torch.arange(frames, device=maps.device)
        return every.expand(batch, -1), self.shares.expand(batch, -1)


def build(e: Settings, backbone: Backbone, groups: Parts) -> PoseWarper:
    """Builds PoseWarper.

    Args:
        e: the experiment's settings.
        backbone: frozen from here on.
        groups: not read; PoseWarper has no part groups.
    """
    return PoseWarper(backbone, e.t, Warp(e.width, e.blocks, scaled(DILATIONS, e.map_size[0])))


def released(e: Settings, joints: int) -> nn.Module:
    """Builds the trained part as its public code has it, for any number of joints."""
    return Warp(e.width, e.blocks, DILATIONS, joints)
