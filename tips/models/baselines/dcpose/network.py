"""DCPose (Liu et al., CVPR 2021), as released: `DcPose_RSN` on a frozen backbone's heat maps."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.config import Parts
from tips.models.baselines.dcpose.rsb import residual_steps
from tips.models.baselines.dcpose.settings import Settings
from tips.models.baselines.deform import ModulatedDeformConv, scaled
from tips.models.baselines.rival import Rival
from tips.models.heads import START
from tips.models.interfaces import Backbone
from tips.tensors import PoseOutput, Seen

DILATIONS = (3, 6, 9, 12, 15)  # map px, on a map that is 96 px high
# Weight of a neighbour. DCPose weighs a neighbour by its distance to frame t. In a window of
# consecutive frames both distances are 1, so both weights are the same; at a clip's end, where
# the window repeats frame t, the released code takes the distance 1 as well.
NEAR = 0.5


class DCPoseHead(nn.Module):
    """Pose residual fusion, pose temporal merger and pose correction network.

    Args:
        width: D, channels of the guide, the map that the correction's offsets are read from.
        blocks: residual steps blocks in each of the two longer chains.
        dilations: dilation of each of the correction's deformable convolutions, map px.
        joints: J.
        corrects: whether fresh weights return the maps `start` of `forward` unchanged.
    """

    gate: Tensor

    # Paper: DCPose resamples its merged maps alone, through masks that start near zero; here: so at
    # `head.start: scratch`, else it resamples the backbone's maps plus gated merged ones, through
    # masks that start at one, because in a few epochs it otherwise learns to add nothing to them.
    def __init__(
        self,
        width: int,
        blocks: int,
        dilations: tuple[int, ...],
        joints: int = skeleton.COUNT,
        *,
        corrects: bool = False,
    ) -> None:
        super().__init__()
        self.fusion = residual_steps(4 * joints, 2 * joints, blocks)
        self.merger = residual_steps(3 * joints, joints, 1)
        self.combine = residual_steps(3 * joints, width, blocks)
        opened = 1.0 if corrects else 0.0
        self.correction = nn.ModuleList(
            ModulatedDeformConv(width, joints, joints, dilation, opened) for dilation in dilations
        )
        if corrects:
            self.gate = nn.Parameter(torch.zeros(joints, 1, 1))
        else:
            self.register_buffer("gate", torch.ones(joints, 1, 1), persistent=False)

    def forward(
        self,
        before: Float[Tensor, "B J h w"],
        now: Float[Tensor, "B J h w"],
        after: Float[Tensor, "B J h w"],
        start: Float[Tensor, "B J h w"],
    ) -> tuple[Float[Tensor, "B J h w"], Float[Tensor, "B D h w"]]:
        """Refines the backbone's heat maps of three frames.

        Args:
            before: heat maps of frame t - 1, in [0, 1].
            now: heat maps of frame t.
            after: heat maps of frame t + 1.
            start: heat maps that the merged ones are added to before the correction.

        Returns:
            The heat maps of frame t, and the guide that the offsets were read from.
        """
        apart = differences(before, now, after)
        merged = self.merger(per_joint(now, NEAR * before, NEAR * after))
        guide = self.combine(torch.cat([self.fusion(apart), merged], dim=1))
        support = start + self.gate * merged
        corrected = [resample(support, guide) for resample in self.correction]
        return torch.stack(corrected).mean(0), guide


class DCPose(Rival):
    """The backbone's heat maps of three frames, refined by the head.

    Args:
        backbone: frozen.
        start: gives the heat maps that the head begins at, from F_t and the backbone.
        t: position of frame t in the window.
        head: the trained part.
    """

    def __init__(self, backbone: Backbone, start: nn.Module, t: int, head: DCPoseHead) -> None:
        super().__init__(backbone, start, t)
        self.head = head

    def estimate(self, seen: Seen) -> PoseOutput:
        """Estimates the heat maps of frame t; interim frames are not read."""
        F = seen.F
        maps = self.backbone.maps(F.flatten(0, 1)).unflatten(0, F.shape[:2])
        refined, _ = self.head(*maps.unbind(1), self.start(F[:, self.t], self.backbone))
        return PoseOutput(refined, F)


def differences(
    before: Float[Tensor, "B J h w"],
    now: Float[Tensor, "B J h w"],
    after: Float[Tensor, "B J h w"],
) -> Float[Tensor, "B J4 h w"]:
    """Computes the differences of frame t to both neighbours, plain and weighted.

    Args:
        before: heat maps of frame t - 1.
        now: heat maps of frame t.
        after: heat maps of frame t + 1.

    Returns:
        Four channels per joint: both differences, and both times the neighbour's weight.
    """
    back, ahead = now - before, now - after
    return per_joint(back, NEAR * back, ahead, NEAR * ahead)


def per_joint(*maps: Float[Tensor, "B J h w"]) -> Float[Tensor, "B Jn h w"]:
    """Interleaves heat maps, so that all channels of one joint lie beside each other."""
    return torch.stack(maps, dim=2).flatten(1, 2)


def build(e: Settings, backbone: Backbone, groups: Parts) -> DCPose:
    """Builds DCPose.

    Args:
        e: the experiment's settings.
        backbone: frozen from here on.
        groups: not read; DCPose has no part groups.
    """
    dilations = scaled(DILATIONS, e.map_size[0])
    head = DCPoseHead(e.width, e.blocks, dilations, corrects=e.head.start == "backbone")
    return DCPose(backbone, START[e.head.start](), e.t, head)


def released(e: Settings, joints: int) -> nn.Module:
    """Builds the head as its public code has it, for any number of joints."""
    return DCPoseHead(e.width, e.blocks, DILATIONS, joints)
