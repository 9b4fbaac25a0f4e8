"""DCPose (Liu et al., CVPR 2021), as released: `DcPose_RSN` on a frozen backbone's heat maps."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.models.baselines.deform import ModulatedDeformConv
from tips.models.baselines.rival import Rival
from tips.models.baselines.rsb import residual_steps
from tips.models.interfaces import Backbone
from tips.tensors import PoseOutput

WINDOW = (-1, 0, 1)
DILATIONS = (3, 6, 9, 12, 15)  # px of a 96-high map
# Weights of a neighbour by its distance to t. In a window of consecutive frames both margins are
# 1; at a clip's end the window repeats frame t, and the release sets that margin to 1 as well.
NEAR = 0.5


class DCPoseHead(nn.Module):
    """Pose residual fusion, pose temporal merger and pose correction network.

    Args:
        width: channels of the map that steers the correction.
        blocks: residual steps blocks of the two longer chains.
        dilations: of the correction's deformable convolutions, px.
        joints: J.
    """

    def __init__(
        self, width: int, blocks: int, dilations: tuple[int, ...], joints: int = skeleton.COUNT
    ) -> None:
        super().__init__()
        self.fusion = residual_steps(4 * joints, 2 * joints, blocks)
        self.merger = residual_steps(3 * joints, joints, 1)
        self.combine = residual_steps(3 * joints, width, blocks)
        self.correction = nn.ModuleList(
            ModulatedDeformConv(width, joints, joints, dilation) for dilation in dilations
        )

    def forward(
        self,
        before: Float[Tensor, "B J h w"],
        now: Float[Tensor, "B J h w"],
        after: Float[Tensor, "B J h w"],
    ) -> tuple[Float[Tensor, "B J h w"], Float[Tensor, "B D h w"]]:
        """Estimates heat maps from the rough ones of three frames; returns what steered, too."""
        apart = differences(before, now, after)
        support = self.merger(per_joint(now, NEAR * before, NEAR * after))
        guide = self.combine(torch.cat([self.fusion(apart), support], dim=1))
        corrected = [resample(support, guide) for resample in self.correction]
        return torch.stack(corrected).mean(0), guide


class DCPose(Rival):
    """Rough heat maps of three frames, refined by the head; `start` is added."""

    # Paper: DCPose's maps are its head's alone; here: so at `head.start: scratch`, else added to
    # the backbone's, because every head of the comparison starts there (see BackboneStart).
    def __init__(self, backbone: Backbone, start: nn.Module, t: int, head: DCPoseHead) -> None:
        super().__init__(backbone, start, t)
        self.head = head

    def forward(
        self, images: Float[Tensor, "B 3 3 H W"], rough: Float[Tensor, "B I 3 H W"]
    ) -> PoseOutput:
        """Estimates the heat maps of the middle frame."""
        F = self.features(images)
        maps = self.backbone.maps(F.flatten(0, 1)).unflatten(0, F.shape[:2])
        correction, guide = self.head(*maps.unbind(1))
        return self.answer(self.start(F[:, self.t], self.backbone) + correction, F, guide)


def differences(
    before: Float[Tensor, "B J h w"],
    now: Float[Tensor, "B J h w"],
    after: Float[Tensor, "B J h w"],
) -> Float[Tensor, "B J4 h w"]:
    """Computes the residuals to both neighbours, plain and weighted, four channels per joint."""
    back, ahead = now - before, now - after
    return per_joint(back, NEAR * back, ahead, NEAR * ahead)


def per_joint(*maps: Float[Tensor, "B J h w"]) -> Float[Tensor, "B Jn h w"]:
    """Interleaves heat maps, so that a joint's channels are neighbours."""
    return torch.stack(maps, dim=2).flatten(1, 2)
