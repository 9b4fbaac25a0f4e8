"""Eq. 2: coordinates of the poses in the frames and of the synthesized poses.

Only losses and pictures need them; they are not computed at inference.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.models.layers import ResBlock, residual_blocks
from tips.ops.integral import integral
from tips.tensors import Coordinates, PoseOutput

# 1 / 0.05. A heat map with peak 1, times this factor, is sharp enough as logits that the softmax
# puts nearly all its mass on the peak.
SHARPNESS = 20.0


class CoordinateHeads(nn.Module):
    """C_real on F_w and C_syn on F'_{w,w+1}, each a stack of residual blocks and a 1x1 layer.

    Args:
        channels: C, channels of F_w.
        width: D, channels of F'_{w,w+1}.
        blocks: number of residual blocks of each head.
        points: K, synthesized poses per interval.
    """

    # Paper: one operator C in Eq. 2; here: two heads, because F has C channels and F' has D.
    # Paper: C's heat map enters the softmax of Eq. 3; here: heads of their own give logits,
    # because the softmax of a heat map in [0, 1] is flat and its integral the map's centre.
    # Paper: C is learned from scratch; here: C_real starts as the backbone's sharpened maps,
    # because otherwise every R_w starts at the map's centre and S_w teaches that.
    def __init__(self, channels: int, width: int, blocks: int, points: int) -> None:
        super().__init__()
        self.points = points
        self.real_blocks = residual_blocks(channels, channels, blocks)
        self.real = nn.Conv2d(channels, skeleton.COUNT, 1)
        self.synthesized = nn.Sequential(
            residual_blocks(width, width, blocks), nn.Conv2d(width, skeleton.COUNT, 1)
        )
        for block in self.real_blocks:
            assert isinstance(block, ResBlock)
            last = block.body[-1]
            assert isinstance(last, nn.BatchNorm2d)
            nn.init.zeros_(last.weight)

    def start_from(self, final_layer: nn.Conv2d) -> None:
        """Copies the backbone's head, sharpened, into C_real, so that R_w is right from the start.

        Args:
            final_layer: the backbone's 1x1 heat-map head.
        """
        with torch.no_grad():
            self.real.weight.copy_(SHARPNESS * final_layer.weight)
            assert final_layer.bias is not None
            assert self.real.bias is not None
            self.real.bias.copy_(SHARPNESS * final_layer.bias)

    def forward(self, output: PoseOutput, t: int) -> Coordinates:
        """Computes the coordinates of all frames and all synthesized poses, map px (Eq. 3).

        Gradient reaches C_real through frame t alone, which alone is compared with labels; so the
        other frames are read without.
        """
        F, batch = output.F, output.F.shape[0]
        with torch.no_grad():
            before, after = self.read(torch.cat([F[:, :t], F[:, t + 1 :]], dim=1)).split(
                [t, F.shape[1] - t - 1], dim=1
            )
        synthesized = self.synthesized(output.own.F_interim.flatten(0, 1))
        return Coordinates(
            R=torch.cat([before, self.read(F[:, t : t + 1]), after], dim=1),
            R_interim=integral(synthesized).unflatten(0, (batch, self.points, -1)),
        )

    def read(self, F: Float[Tensor, "B T C h w"]) -> Float[Tensor, "B T J 2"]:
        """Reads poses from features of single frames by C_real, map px."""
        logits = self.real(self.real_blocks(F.flatten(0, 1)))
        return integral(logits).unflatten(0, F.shape[:2])


class NoCoordinates(nn.Module):
    """Stands in where no pose is synthesized, so that no coordinate is needed."""

    def start_from(self, final_layer: nn.Conv2d) -> None:
        """Does nothing: there is no head."""

    def forward(self, output: PoseOutput, t: int) -> Coordinates:
        """Returns zeros for the frames, and no synthesized pose."""
        F = output.F
        return Coordinates(
            R=F.new_zeros(F.shape[0], F.shape[1], skeleton.COUNT, 2),
            R_interim=F.new_zeros(F.shape[0], 0, 0, skeleton.COUNT, 2),
        )

    def read(self, F: Float[Tensor, "B T C h w"]) -> Float[Tensor, "B 0 J 2"]:
        """Returns no pose."""
        return F.new_zeros(F.shape[0], 0, skeleton.COUNT, 2)
