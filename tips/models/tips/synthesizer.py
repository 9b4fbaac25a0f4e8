"""Pose synthesis, Fig. 2b: features of the synthesized poses."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.layers import group_norm, residual_blocks


class FromImages(nn.Module):
    """Interim features F_{w,w+1}: the backbone's features of the interim frames."""

    def forward(
        self, F: Float[Tensor, "B T C H W"], F_rough: Float[Tensor, "B I C H W"]
    ) -> Float[Tensor, "B I C H W"]:
        """Returns the features of the I = T - 1 interim frames as they are."""
        return F_rough


class FromFeatures(nn.Module):
    """Interim features F_{w,w+1}, computed from the features of both neighbours (w/o VFIT).

    Args:
        channels: C, channels of the features.
        width: D, channels of the residual blocks.
        blocks: number of residual blocks.
    """

    # Paper: what replaces F_{w,w+1} without VFIT is unstated; here: residual blocks on both
    # neighbours, because nine backbone passes exceed the 230 GFLOPs of Table VIII and a mean of
    # features has too few parameters.
    def __init__(self, channels: int, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = residual_blocks(2 * channels, width, blocks)
        self.narrow = nn.Conv2d(width, channels, 1)

    def forward(
        self, F: Float[Tensor, "B T C H W"], F_rough: Float[Tensor, "B _i C H W"]
    ) -> Float[Tensor, "B I C H W"]:
        """Computes the features from F alone; there are no interim frames, so F_rough is empty."""
        pairs = torch.cat([F[:, :-1], F[:, 1:]], dim=2)
        M: Tensor = self.narrow(self.blocks(pairs.flatten(0, 1)))
        return M.unflatten(0, pairs.shape[:2])


class PoseSynthesizer(nn.Module):
    """Eq. 1: F'_{w,w+1} from F_{w,w+1} and its differences to both neighbours.

    All intervals share its weights. For K trajectory points (Table VII) it runs K times, each time
    with the learned embedding of one point added.

    Args:
        rough: gives the interim features F_{w,w+1}; `FromImages` or `FromFeatures`.
        channels: C, channels of the backbone's features.
        width: D, channels of the encoder.
        points: K, synthesized poses per interval.
        encoder: T of Eq. 1, (B, D, H, W) -> (B, D, H, W).
    """

    def __init__(
        self, rough: nn.Module, channels: int, width: int, points: int, encoder: nn.Module
    ) -> None:
        super().__init__()
        self.rough = rough
        # Paper: Eq. 1 gives the three maps to T as they are; here: a 1x1 convolution and a group
        # norm come first, because T has D channels and the three maps have 3C.
        self.project = nn.Sequential(nn.Conv2d(3 * channels, width, 1), group_norm(width))
        self.encoder = encoder
        # Paper: Table VII does not say how several points are synthesized; here: one shared
        # synthesizer with an embedding per point, because the rough frame exists once only.
        scale = 0.02 if points > 1 else 0.0
        self.points = nn.Parameter(torch.randn(points, width) * scale, requires_grad=points > 1)

    def forward(
        self, F: Float[Tensor, "B T C H W"], F_rough: Float[Tensor, "B _i C H W"]
    ) -> Float[Tensor, "B KI D H W"]:
        """Synthesizes K feature maps for each of the I = T - 1 intervals.

        The I maps of the first point come first, then those of the second, and so on.
        """
        M = self.rough(F, F_rough)
        batch, intervals = M.shape[:2]
        x = torch.cat([M, M - F[:, :-1], M - F[:, 1:]], dim=2).flatten(0, 1)
        x = self.project(x).unflatten(0, (batch, intervals))
        x = x[:, None] + self.points[None, :, None, :, None, None]
        shape = x.shape
        synthesized: Tensor = self.encoder(x.flatten(0, 2))
        return synthesized.view(batch, shape[1] * intervals, *shape[3:])


class NoSynthesis(nn.Module):
    """Stands in where no pose is synthesized: it runs nothing and returns an empty time axis."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(
        self, F: Float[Tensor, "B T C H W"], F_rough: Float[Tensor, "B _i C H W"]
    ) -> Float[Tensor, "B 0 D H W"]:
        """Returns no map."""
        return F.new_zeros(F.shape[0], 0, self.width, *F.shape[-2:])
