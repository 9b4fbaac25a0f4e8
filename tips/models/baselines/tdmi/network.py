"""TDMI (Feng et al., CVPR 2023): differences of consecutive frames at four stages.

Its code is not public. This module is our reading of the paper's text and figure; the sizes that
the paper does not state are our own.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.config import ConfigError, Parts
from tips.models.baselines.calibration import DILATION, Calibration, Detection
from tips.models.baselines.deform import scaled
from tips.models.baselines.rival import Rival
from tips.models.baselines.tdmi.settings import Settings
from tips.models.heads import START
from tips.models.interfaces import Backbone, StagedBackbone
from tips.models.layers import residual_blocks
from tips.tensors import PoseOutput, Seen

BLOCKS = (3, 3, 3, 2)  # number of residual blocks of each stage


class Motion(NamedTuple):
    """The two parts of the motion that TDMI's loss separates: the useful one, and the rest."""

    useful: Float[Tensor, "B D h w"]  # M_u
    useless: Float[Tensor, "B D h w"]  # M_n


class StageDifference(nn.Module):
    """The differences of consecutive frames at one stage of the backbone -> D^j.

    Args:
        channels: C, channels of the stage's map.
        frames: T, number of frames of the window.
        width: D, channels of D^j.
        blocks: number of residual blocks.
    """

    def __init__(self, channels: int, frames: int, width: int, blocks: int) -> None:
        super().__init__()
        # At the paper's size stage 1 has 256 channels and must be narrowed; the others have 48.
        narrow = nn.Conv2d(channels, width, 1, bias=False)
        self.narrow = nn.Identity() if channels == width else narrow
        self.blocks = residual_blocks(width * (frames - 1), width, blocks)

    def forward(self, stage: Float[Tensor, "B T C h w"]) -> Float[Tensor, "B D h w"]:
        """Computes D^j."""
        steps = stage[:, 1:] - stage[:, :-1]
        narrowed = self.narrow(steps.flatten(0, 1)).unflatten(0, steps.shape[:2])
        difference: Tensor = self.blocks(narrowed.flatten(1, 2))
        return difference


class Gate(nn.Module):
    """Weighs the channels of a map by factors read from the map's mean over all positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.choose = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width), nn.Sigmoid()
        )

    def forward(self, M: Float[Tensor, "B D h w"]) -> Float[Tensor, "B D h w"]:
        """Scales each channel by a factor in (0, 1)."""
        return self.choose(M.mean(dim=(-2, -1)))[:, :, None, None] * M


class Tdmi(Rival):
    """Differences of consecutive frames, gathered over the stages, split into two motions.

    The useful motion corrects the heat maps; the useless one is what the loss keeps apart from it.

    Args:
        backbone: frozen; gives the maps of its four stages.
        start: gives the heat maps that are corrected, from F_t and the backbone.
        t: position of frame t in the window.
        frames: T, number of frames of the window, two or more.
        width: D, channels of every map behind the backbone, a multiple of 4.
        height: height of the map, map px.
    """

    backbone: StagedBackbone

    # Paper: TDMI publishes neither code nor sizes; here: 48 channels, FAMI-Pose's deformable
    # convolution and last layers, because TDMI comes from the same group.
    def __init__(
        self,
        backbone: StagedBackbone,
        start: nn.Module,
        t: int,
        *,
        frames: int,
        width: int,
        height: int,
    ) -> None:
        super().__init__(backbone, start, t)
        (dilation,) = scaled((DILATION,), height)
        self.differences = nn.ModuleList(
            StageDifference(channels, frames, width, blocks)
            for channels, blocks in zip(backbone.stage_channels, BLOCKS, strict=True)
        )
        self.calibrations = nn.ModuleList(Calibration(width, dilation) for _ in BLOCKS)
        self.merges = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in BLOCKS)
        self.useful, self.useless = Gate(width), Gate(width)
        self.head = Detection(backbone.channels, width)

    def look(self, images: Float[Tensor, "B T 3 H W"], rough: Float[Tensor, "B _i 3 H W"]) -> Seen:
        """Runs the backbone once on all frames, without gradient; the last stage's map is F."""
        with torch.no_grad():
            found = self.backbone.stages(images.flatten(0, 1))
        *earlier, F = (stage.unflatten(0, images.shape[:2]) for stage in found)
        return Seen(F, F[:, :0], tuple(earlier))

    def estimate(self, seen: Seen) -> PoseOutput:
        """Estimates the heat maps of frame t; interim frames are not read."""
        F = seen.F
        F_t = F[:, self.t]
        M = self.motion([*seen.stages, F])
        M_u = self.useful(M)
        _, correction = self.head(F_t, M_u)
        maps = self.start(F_t, self.backbone) + correction
        return PoseOutput(maps, F, own=self.said(M, M_u))

    def said(self, M: Float[Tensor, "B D h w"], M_u: Float[Tensor, "B D h w"]) -> Motion | None:
        """Records both motions for the loss; in evaluation there is no loss, so no record."""
        return Motion(M_u, self.useless(M)) if self.training else None

    def motion(self, stages: list[Float[Tensor, "B T _C h w"]]) -> Float[Tensor, "B D h w"]:
        """Computes M stage by stage: each one's calibrated difference is added to the sum so far.

        A 3x3 convolution follows every sum.
        """
        layers = zip(stages, self.differences, self.calibrations, self.merges, strict=True)
        M: Tensor = stages[-1].new_zeros(())
        for stage, difference, calibrate, merge in layers:
            D = difference(stage)
            M = merge(M + calibrate(D, D))
        return M


def build(e: Settings, backbone: Backbone, groups: Parts) -> Tdmi:
    """Builds TDMI.

    Args:
        e: the experiment's settings.
        backbone: frozen from here on; must give the maps of its stages.
        groups: not read; TDMI has no part groups.

    Raises:
        ConfigError: if the backbone has no stages.
    """
    if not isinstance(backbone, StagedBackbone):
        raise ConfigError(
            f"model tdmi needs the stages of an HRNet; backbone {e.backbone.kind} has none, so "
            "use hrnet or hrnet_ms"
        )
    return Tdmi(
        backbone,
        START[e.head.start](),
        e.t,
        frames=len(e.window),
        width=e.width,
        height=e.map_size[0],
    )
