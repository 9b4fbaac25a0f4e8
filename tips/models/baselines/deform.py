"""Deformable convolutions whose offsets and masks are read from a second map, the guide.

The layers that read them are dilated 3x3 convolutions.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.layers import zeroed
from tips.ops.deform_conv import deform_conv

TAPS = 9  # positions of a 3x3 kernel


class IdentityConv(nn.Module):
    """A 3x3 deformable convolution that starts as the identity: one at the centre, no bias.

    Args:
        channels: C, channels of its input and its output; all of them in one weight group.
        dilation: distance of neighbouring taps, map px.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.weight = nn.Parameter(torch.zeros(channels, channels, 3, 3))
        with torch.no_grad():
            self.weight[:, :, 1, 1] = torch.eye(channels)

    def forward(
        self,
        x: Float[Tensor, "B C H W"],
        offset: Float[Tensor, "B moves H W"],
        mask: Float[Tensor, "B taps H W"],
    ) -> Float[Tensor, "B C H W"]:
        """Resamples a map.

        Args:
            x: the map.
            offset: (dy, dx) of every tap of every offset group, map px; 18 channels per group.
            mask: factor of every tap of every offset group; 9 channels per group.
        """
        return deform_conv(x, offset, self.weight, mask, self.dilation)


class DeformConv(nn.Module):
    """DCNv1: resamples a map at positions read from a guide. Fresh weights make it the identity.

    Args:
        guide: G, channels of the map that the offsets are read from.
        channels: C, channels of the map that is resampled, and of the result.
        groups: number of offset groups; each moves channels / groups channels together.
        dilation: distance of neighbouring taps in both layers, map px.
    """

    def __init__(self, guide: int, channels: int, groups: int, dilation: int) -> None:
        super().__init__()
        self.groups = groups
        self.offset = _dilated(guide, groups * 2 * TAPS, dilation)
        self.conv = IdentityConv(channels, dilation)

    def forward(
        self, x: Float[Tensor, "B C H W"], guide: Float[Tensor, "B G H W"]
    ) -> Float[Tensor, "B C H W"]:
        """Resamples `x` at the positions that are read from `guide`."""
        ones = x.new_ones(x.shape[0], self.groups * TAPS, *x.shape[-2:])
        out: Tensor = self.conv(x, self.offset(guide), ones)
        return out


class ModulatedDeformConv(nn.Module):
    """DCNv2 whose mask passes no sigmoid, as DCPose and its successors use it.

    Fresh weights give `opened` times the map itself.

    Args:
        guide: G, channels of the map that offsets and masks are read from.
        channels: C, channels of the map that is resampled, and of the result.
        groups: number of offset groups; each moves channels / groups channels together.
        dilation: distance of neighbouring taps in all three layers, map px.
        opened: mask of a fresh layer; what is read from `guide` is added to it.
    """

    # Paper: DCPose starts its offset and mask layers at N(0, 0.001); here: at zero, as PoseWarper
    # does with its offsets, because a fresh model then starts exactly where `head.start` says.
    def __init__(
        self, guide: int, channels: int, groups: int, dilation: int, opened: float = 0.0
    ) -> None:
        super().__init__()
        self.opened = opened
        self.offset = _dilated(guide, groups * 2 * TAPS, dilation)
        self.mask = _dilated(guide, groups * TAPS, dilation)
        self.conv = IdentityConv(channels, dilation)

    def forward(
        self, x: Float[Tensor, "B C H W"], guide: Float[Tensor, "B G H W"]
    ) -> Float[Tensor, "B C H W"]:
        """Resamples `x` at the positions, and with the strengths, that are read from `guide`."""
        out: Tensor = self.conv(x, self.offset(guide), self.opened + self.mask(guide))
        return out


def _dilated(channels_in: int, channels_out: int, dilation: int) -> nn.Conv2d:
    return zeroed(
        nn.Conv2d(channels_in, channels_out, 3, padding=dilation, dilation=dilation, bias=False)
    )


def scaled(dilations: tuple[int, ...], height: int) -> tuple[int, ...]:
    """Scales dilations, published for a map 96 px high, to a map of another height.

    Args:
        dilations: published dilations, px of a 96-high map.
        height: height of the map, map px.

    Returns:
        The different dilations in whole map px, ascending, each at least 1.
    """
    # Paper: the rivals' dilations, up to 24 px, on 96-high maps; here: in proportion to the map,
    # because on a 16-high map only the centre tap of such a kernel lies inside. Equal ones are
    # kept once, because layers that start alike and see the same would stay alike.
    return tuple(sorted({max(1, (2 * dilation * height + 96) // 192) for dilation in dilations}))
