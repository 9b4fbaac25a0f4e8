"""Pose synthesis, Fig. 2b: features of the poses between frames."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.layers import group_norm, residual_blocks


class FromImages(nn.Module):
    """Rough interim features F_{w,w+1}: what the backbone sees in the rough interim frames."""

    def forward(
        self, F: Float[Tensor, "B T C H W"], F_rough: Float[Tensor, "B I C H W"]
    ) -> Float[Tensor, "B I C H W"]:
        """Returns the features of the I = T - 1 interim frames as they are."""
        return F_rough


class FromFeatures(nn.Module):
    """Rough interim features F_{w,w+1} from the features of both neighbours (w/o VFIT).

    Args:
        channels: C.
        width: D, inside.
        blocks: residual blocks.
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
        """Looks at F alone; there are no interim frames."""
        pairs = torch.cat([F[:, :-1], F[:, 1:]], dim=2)
        M: Tensor = self.narrow(self.blocks(pairs.flatten(0, 1)))
        return M.unflatten(0, pairs.shape[:2])


class PoseSynthesizer(nn.Module):
    """Eq. 1: F'_{w,w+1} from F_{w,w+1} and its differences to both neighbours.

    Weights are shared by all intervals. For K trajectory points (Table VII) it runs K times with
    a learned embedding per point added.

    Args:
        rough: where F_{w,w+1} comes from, `FromImages` or `FromFeatures`.
        channels: C, width of the backbone's features.
        width: D, width of the encoder.
        points: K.
        encoder: T of Eq. 1.
    """

    def __init__(
        self, rough: nn.Module, channels: int, width: int, points: int, encoder: nn.Module
    ) -> None:
        super().__init__()
        self.rough = rough
        self.project = nn.Sequential(nn.Conv2d(3 * channels, width, 1), group_norm(width))
        self.encoder = encoder
        # Paper: Table VII does not say how several points are synthesized; here: one shared
        # synthesizer with an embedding per point, because the rough frame exists once only.
        scale = 0.02 if points > 1 else 0.0
        self.points = nn.Parameter(torch.randn(points, width) * scale, requires_grad=points > 1)

    def forward(
        self, F: Float[Tensor, "B T C H W"], F_rough: Float[Tensor, "B _i C H W"]
    ) -> Float[Tensor, "B KI D H W"]:
        """Synthesizes K maps for each of the I = T - 1 intervals, point-major."""
        M = self.rough(F, F_rough)
        batch, intervals = M.shape[:2]
        x = torch.cat([M, M - F[:, :-1], M - F[:, 1:]], dim=2).flatten(0, 1)
        x = self.project(x).unflatten(0, (batch, intervals))
        x = x[:, None] + self.points[None, :, None, :, None, None]
        shape = x.shape
        synthesized: Tensor = self.encoder(x.flatten(0, 2))
        return synthesized.view(batch, shape[1] * intervals, *shape[3:])


class NoSynthesis(nn.Module):
    """Absence of the synthesizer: an empty time axis, nothing is run."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(
        self, F: Float[Tensor, "B T C H W"], F_rough: Float[Tensor, "B _i C H W"]
    ) -> Float[Tensor, "B 0 D H W"]:
        """Returns no map."""
        return F.new_zeros(F.shape[0], 0, self.width, *F.shape[-2:])
