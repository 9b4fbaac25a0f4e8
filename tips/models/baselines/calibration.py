"""What FAMI-Pose and TDMI share: calibration by deformable convolution, and the last layers."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.models.baselines.deform import TAPS, IdentityConv
from tips.models.layers import SlowParameters, residual_blocks, zeroed

GROUP = 4  # channels that share their offsets: 48 channels make 12 offset groups
DILATION = 3  # map px, on a map that is 96 px high


class Calibration(SlowParameters):
    """DCNv2 with a bias on every layer, as FAMI-Pose has it. Fresh weights make it the identity.

    One convolution computes offsets and mask together. It has exactly the parameters of the two
    convolutions that the released code uses.

    Args:
        channels: channels of the map, of the guide and of the result; a multiple of 4.
        dilation: distance of a kernel's neighbouring taps in all layers, map px.

    Raises:
        ValueError: if the channels do not make whole offset groups.
    """

    # Paper: FAMI-Pose's masks start near 0 and its kernels at random; here: masks at 1, kernels as
    # the identity, because four such layers in a row would neither pass a map nor a gradient.
    # Paper: one learning rate; here: offsets and masks learn slower by `sampling_rate_factor` as
    # TIPS's do, because at desk they otherwise leave the map for good.
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        if channels % GROUP:
            raise ValueError(
                f"width must be a multiple of {GROUP}, the channels of an offset group; "
                f"got {channels}"
            )
        self.sizes = [channels // GROUP * 2 * TAPS, channels // GROUP * TAPS]
        self.sampling_offsets = zeroed(
            nn.Conv2d(channels, sum(self.sizes), 3, padding=dilation, dilation=dilation)
        )
        assert self.sampling_offsets.bias is not None
        nn.init.ones_(self.sampling_offsets.bias[self.sizes[0] :])
        self.conv = IdentityConv(channels, dilation)
        self.bias = nn.Parameter(torch.zeros(channels))

    def slow_parameters(self) -> Iterator[nn.Parameter]:
        """Gives the convolution that says where and how strongly the map is sampled."""
        return self.sampling_offsets.parameters()

    def forward(
        self, x: Float[Tensor, "B C H W"], guide: Float[Tensor, "B G H W"]
    ) -> Float[Tensor, "B C H W"]:
        """Resamples `x` at the positions, and with the strengths, that are read from `guide`."""
        moves, mask = self.sampling_offsets(guide).split(self.sizes, dim=1)
        out: Tensor = self.conv(x, moves, mask) + self.bias[:, None, None]
        return out


class Detection(nn.Module):
    """F_t and what the other frames add to it -> z~ and the correction of the heat maps.

    Args:
        channels: C, channels of F_t.
        width: D, channels of the added map and of z~.
        joints: J, the number of heat maps.
    """

    def __init__(self, channels: int, width: int, joints: int = skeleton.COUNT) -> None:
        super().__init__()
        self.blocks = residual_blocks(channels + width, width, 3)
        self.final = zeroed(nn.Conv2d(width, joints, 3, padding=1))

    def forward(
        self, F_t: Float[Tensor, "B C H W"], added: Float[Tensor, "B D H W"]
    ) -> tuple[Float[Tensor, "B D H W"], Float[Tensor, "B J H W"]]:
        """Computes z~ and the correction that is added to the heat maps of the start."""
        z_tilde = self.blocks(torch.cat([F_t, added], dim=1))
        return z_tilde, self.final(z_tilde)
