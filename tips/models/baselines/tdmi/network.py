"""TDMI (Feng et al., CVPR 2023): differences of consecutive frames at four stages.

Its code is not public: what follows is our reading of its text and figure, at our own sizes.
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
from tips.tensors import PoseOutput

BLOCKS = (3, 3, 3, 2)  # residual blocks of each stage


class Motion(NamedTuple):
    """What TDMI's loss tells apart: the motion that serves the pose, and the rest."""

    useful: Float[Tensor, "B D h w"]  # M_u
    useless: Float[Tensor, "B D h w"]  # M_n


class StageDifference(nn.Module):
    """The differences of consecutive frames at one stage of the backbone -> D^j.

    Args:
        channels: of the stage.
        frames: of the window.
        width: of D^j.
        blocks: residual blocks.
    """

    def __init__(self, channels: int, frames: int, width: int, blocks: int) -> None:
        super().__init__()
        # Stage 1 alone is wider at the paper's size: 256 channels beside 48.
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
    """Keeps some channels of a map, chosen from its mean over all positions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.choose = nn.Sequential(
            nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width), nn.Sigmoid()
        )

    def forward(self, M: Float[Tensor, "B D h w"]) -> Float[Tensor, "B D h w"]:
        """Scales each channel by a factor in (0, 1)."""
        return self.choose(M.mean(dim=(-2, -1)))[:, :, None, None] * M


class Tdmi(Rival):
    """Temporal differences, coarse stages onto fine ones, split into useful and useless motion.

    Args:
        backbone: frozen.
        start: what the predicted heat maps begin at.
        t: position of frame t in the window.
        frames: of the window, two or more.
        width: of every map behind the backbone, a multiple of 4.
        height: of the map.
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

    def forward(
        self, images: Float[Tensor, "B T 3 H W"], rough: Float[Tensor, "B I 3 H W"]
    ) -> PoseOutput:
        """Estimates the heat maps of frame t from a window."""
        stages = self.stages(images)
        F = stages[-1]
        F_t = F[:, self.t]
        M = self.motion(stages)
        M_u = self.useful(M)
        _, correction = self.head(F_t, M_u)
        maps = self.start(F_t, self.backbone) + correction
        return PoseOutput(maps, F, own=self.said(M, M_u))

    def said(self, M: Float[Tensor, "B D h w"], M_u: Float[Tensor, "B D h w"]) -> Motion | None:
        """The record for the loss; in evaluation, which has none, M_n is not computed."""
        return Motion(M_u, self.useless(M)) if self.training else None

    def stages(self, images: Float[Tensor, "B T 3 H W"]) -> list[Float[Tensor, "B T _C h w"]]:
        """Runs the backbone once on all frames, without gradient; the last map is F."""
        with torch.no_grad():
            found = self.backbone.stages(images.flatten(0, 1))
            return [stage.unflatten(0, images.shape[:2]) for stage in found]

    def motion(self, stages: list[Float[Tensor, "B T _C h w"]]) -> Float[Tensor, "B D h w"]:
        """Computes M: each stage's difference, calibrated, added to what the ones before gave."""
        layers = zip(stages, self.differences, self.calibrations, self.merges, strict=True)
        M: Tensor = stages[-1].new_zeros(())
        for stage, difference, calibrate, merge in layers:
            D = difference(stage)
            M = merge(M + calibrate(D, D))
        return M


def build(e: Settings, backbone: Backbone, groups: Parts) -> Tdmi:
    """Builds TDMI, which has no part groups. Raises ConfigError without a backbone's stages."""
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
