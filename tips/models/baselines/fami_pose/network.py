"""FAMI-Pose (Liu et al., CVPR 2022): support frames aligned to frame t, coarse to fine."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.config import ConfigError, Parts
from tips.models.backbones import build_backbone
from tips.models.baselines.calibration import DILATION, Calibration, Detection
from tips.models.baselines.deform import scaled
from tips.models.baselines.fami_pose.settings import Settings
from tips.models.baselines.rival import Rival
from tips.models.heads import START, ScratchStart
from tips.models.interfaces import Backbone
from tips.models.layers import SlowParameters, residual_blocks
from tips.tensors import PoseOutput, Seen

NARROW, HALVINGS, SMALLEST = 16, 5, 2


class Support(NamedTuple):
    """The feature maps that FAMI-Pose's losses compare."""

    z_sup: Float[Tensor, "B D h w"]  # features of all aligned support frames together
    z_tilde: Float[Tensor, "B D h w"]  # features that the final layer reads


def translate(
    maps: Float[Tensor, "B C H W"], shift: Float[Tensor, "B 2"]
) -> Float[Tensor, "B C H W"]:
    """Moves maps by a shift in map px, x then y; what moves in from outside is zero."""
    height, width = maps.shape[-2:]
    # affine_grid wants where an output pixel comes from, hence the minus sign; its unit is half a
    # map's size, hence the factor 2.
    size = shift.new_tensor([width, height])
    back = (-2 * shift / size)[:, :, None]
    theta = torch.cat([torch.eye(2).to(back).expand(len(maps), -1, -1), back], dim=2)
    grid = nnf.affine_grid(theta, list(maps.shape), align_corners=False)
    return nnf.grid_sample(maps, grid, padding_mode="zeros", align_corners=False)


class Translation(SlowParameters):
    """Estimates how far a support frame must move to lie on frame t.

    It reads the difference of both frames' features.

    Args:
        channels: C, channels of the features.
        size: height and width of the map, map px.
    """

    # Paper: FAMI-Pose's figure shows an affine transform of both maps side by side; here: a
    # translation from their difference, because that is what its released code computes.
    # Paper: five halvings, 96 x 72 to 3 x 3; here: as many of them as leave 2 px of each side,
    # because a 16 x 16 map would vanish.
    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        halvings: list[nn.Module] = []
        height, width = size
        while len(halvings) < HALVINGS and min(height, width) > SMALLEST:
            halvings.append(_halving())
            height, width = -(-height // 2), -(-width // 2)
        self.layers = nn.Sequential(residual_blocks(channels, NARROW, 1), *halvings)
        # Three linear layers in a row, with nothing between them, as released.
        self.sampling_offsets = nn.Sequential(
            nn.Flatten(),
            nn.Linear(NARROW * height * width, 64),
            nn.Linear(64, 64),
            nn.Linear(64, 2),
        )

    def slow_parameters(self) -> Iterator[nn.Parameter]:
        """Gives the layers of the shift, which learn as slowly as the calibrations' offsets."""
        return self.sampling_offsets.parameters()

    def forward(self, difference: Float[Tensor, "B C H W"]) -> Float[Tensor, "B 2"]:
        """Computes the shift in map px, x then y."""
        shift: Tensor = self.sampling_offsets(self.layers(difference))
        return shift


def _halving() -> nn.Sequential:
    # The released convolution has a bias. It is left out: the batch norm that follows subtracts
    # the mean, and with it any bias.
    return nn.Sequential(
        nn.Conv2d(NARROW, NARROW, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(NARROW),
        nn.ReLU(inplace=True),
    )


class FamiPose(Rival):
    """Global translation of every support frame, then local calibration, then one head.

    Args:
        backbone: frozen; its 1x1 head also reads z~ and z_sup for the released losses.
        start: gives the heat maps that are corrected, from F_t and the backbone.
        t: position of frame t in the window.
        frames: T, number of frames of the window, two or more.
        width: D, channels of every map behind the backbone, a multiple of 4.
        size: height and width of the map, map px.
        joints: J, the number of heat maps.
    """

    # Paper: FAMI-Pose's released trainer also supervises heat maps of the aligned frames; here:
    # those of frame t alone, because the released model does not return the others.
    def __init__(
        self,
        backbone: Backbone,
        start: nn.Module,
        t: int,
        *,
        frames: int,
        width: int,
        size: tuple[int, int],
        joints: int = skeleton.COUNT,
    ) -> None:
        super().__init__(backbone, start, t)
        channels = backbone.channels
        (dilation,) = scaled((DILATION,), size[0])
        self.translation = Translation(channels, size)
        self.aggregate = residual_blocks(channels * (frames - 1), width, 2)
        self.combine = residual_blocks(width + channels, width, 1)
        self.calibrations = nn.ModuleList(Calibration(width, dilation) for _ in range(4))
        self.head = Detection(channels, width, joints)

    def estimate(self, seen: Seen) -> PoseOutput:
        """Estimates the heat maps of frame t; interim frames are not read."""
        F = seen.F
        F_t = F[:, self.t]
        z_sup = self.aggregate(self.aligned(F))
        z_tilde, correction = self.head(F_t, self._calibrated(z_sup, F_t))
        maps = self.start(F_t, self.backbone) + correction
        return PoseOutput(maps, F, own=Support(z_sup, z_tilde))

    def aligned(self, F: Float[Tensor, "B T C h w"]) -> Float[Tensor, "B TC h w"]:
        """Moves all support frames onto frame t and puts them side by side."""
        F_t = F[:, self.t : self.t + 1]
        support = torch.cat([F[:, : self.t], F[:, self.t + 1 :]], dim=1)
        shift = self.translation((support - F_t).flatten(0, 1))
        moved = translate(support.flatten(0, 1), shift)
        return moved.unflatten(0, support.shape[:2]).flatten(1, 2)

    def _calibrated(
        self, z_sup: Float[Tensor, "B D h w"], F_t: Float[Tensor, "B C h w"]
    ) -> Float[Tensor, "B D h w"]:
        first, second, third, fourth = self.calibrations
        guide = self.combine(torch.cat([z_sup, F_t], dim=1))
        guide = first(guide, guide)
        guide = second(guide, guide)
        found = third(z_sup, guide)
        calibrated: Tensor = fourth(found, found)
        return calibrated


def build(e: Settings, backbone: Backbone, groups: Parts) -> FamiPose:
    """Builds FAMI-Pose.

    Args:
        e: the experiment's settings.
        backbone: frozen from here on.
        groups: not read; FAMI-Pose has no part groups.

    Raises:
        ConfigError: if the width is not the backbone's; the losses read z~ with its head.
    """
    if e.width != backbone.channels:
        raise ConfigError(
            f"model fami_pose has the backbone's width; set width to {backbone.channels}, "
            f"not {e.width}"
        )
    start = START[e.head.start]()
    return FamiPose(backbone, start, e.t, frames=len(e.window), width=e.width, size=e.map_size)


def released(e: Settings, joints: int) -> nn.Module:
    """Builds the model as its public code has it, for any number of joints."""
    backbone = build_backbone(e, joints=joints)
    return FamiPose(
        backbone,
        ScratchStart(),
        e.t,
        frames=len(e.window),
        width=e.width,
        size=e.map_size,
        joints=joints,
    )
