"""TDMI (Feng et al., CVPR 2023): differences of consecutive frames at four stages.

Its code is not public: what follows is our reading of its text and figure, at our own sizes.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.baselines.calibration import DILATION, Calibration, Detection
from tips.models.baselines.deform import scaled
from tips.models.baselines.rival import Rival
from tips.models.interfaces import StagedBackbone
from tips.models.layers import residual_blocks
from tips.tensors import PoseOutput

BLOCKS = (3, 3, 3, 2)  # residual blocks of each stage


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

    In its answer z is the motion M. In training z_i holds its useful and its useless part, M_u and
    M_n; in evaluation it is empty, because M_n serves the loss alone.

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
        z_tilde, correction = self.head(F_t, M_u)
        maps = self.start(F_t, self.backbone) + correction
        return self.answer(maps, F, M, z_tilde)._replace(z_i=self.parts(M, M_u))

    def parts(
        self, M: Float[Tensor, "B D h w"], M_u: Float[Tensor, "B D h w"]
    ) -> Float[Tensor, "B _p D h w"]:
        """Puts M_u and M_n side by side for the loss; nothing in evaluation, which has no loss."""
        kept = [M_u, self.useless(M)] if self.training else []
        return torch.stack(kept, dim=1) if kept else M.new_zeros(len(M), 0, *M.shape[1:])

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
