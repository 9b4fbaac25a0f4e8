"""Fusion to z (Fig. 2c) and the final heat maps (Fig. 2d)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.models.interfaces import Backbone
from tips.models.layers import group_norm, residual_blocks, zeroed


class Fusion(nn.Module):
    """All F_w and F'_{w,w+1} side by side as channels, reduced to z.

    Args:
        channels: channels of all maps together, T * C + K * I * D.
        width: D, channels of z.
        blocks: number of residual blocks.
        expansion: factor that widens the blocks; above 1 in the capacity control `concat-wide`.
    """

    def __init__(self, channels: int, width: int, blocks: int, expansion: int) -> None:
        super().__init__()
        wide = width * expansion
        self.reduce = nn.Sequential(
            nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(inplace=True)
        )
        self.blocks = residual_blocks(wide, wide, blocks)
        self.narrow = nn.Identity() if expansion == 1 else nn.Conv2d(wide, width, 1)

    def forward(
        self, F: Float[Tensor, "B T C H W"], F_interim: Float[Tensor, "B KI D H W"]
    ) -> Float[Tensor, "B D H W"]:
        """Fuses the window into z."""
        maps = torch.cat([F.flatten(1, 2), F_interim.flatten(1, 2)], dim=1)
        z: Tensor = self.narrow(self.blocks(self.reduce(maps)))
        return z


class HeatmapHead(nn.Module):
    """The final encoder on (z~, F_t) and its 1x1 layer.

    Args:
        channels: C, channels of F_t.
        width: D, channels of z~ and of the encoder.
        encoder: maps (B, D, H, W) -> (B, D, H, W).
    """

    # Paper: a "transformer block", "simple transformer" without z~'s branches, of no stated depth;
    # here: one encoder layer for both, because that fits the parameters of Table VIII.
    def __init__(self, channels: int, width: int, encoder: nn.Module) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(channels + width, width, 1), group_norm(width))
        self.encoder = encoder
        self.final = zeroed(nn.Conv2d(width, skeleton.COUNT, 1))

    def forward(
        self,
        z_tilde: Float[Tensor, "B D H W"],
        F_t: Float[Tensor, "B C H W"],
        start: Float[Tensor, "B J H W"],
    ) -> Float[Tensor, "B J H W"]:
        """Computes the final heat maps.

        Args:
            z_tilde: the distilled features.
            F_t: the backbone's features of frame t.
            start: heat maps that the head's output is added to.
        """
        encoded = self.encoder(self.project(torch.cat([z_tilde, F_t], dim=1)))
        maps: Tensor = start + self.final(encoded)
        return maps


class BackboneStart(nn.Module):
    """The heads correct the heat maps that the frozen backbone itself reads from frame t."""

    # Paper: heat-map heads learn from scratch; here: so in every row but two controls, whose heads
    # correct the backbone's maps, because that start costs the full model 2 to 3 AP at equal steps
    # and the controls show how much.
    def forward(
        self, F_t: Float[Tensor, "B C H W"], backbone: Backbone
    ) -> Float[Tensor, "B J H W"]:
        """Reads the backbone's maps without gradient."""
        with torch.no_grad():
            return backbone.maps(F_t)


class ScratchStart(nn.Module):
    """The heads correct nothing: they predict the heat maps from scratch."""

    def forward(
        self, F_t: Float[Tensor, "B C H W"], backbone: Backbone
    ) -> Float[Tensor, "B J H W"]:
        """Returns zero maps."""
        return F_t.new_zeros(F_t.shape[0], skeleton.COUNT, *F_t.shape[-2:])


START: dict[str, type[nn.Module]] = {"backbone": BackboneStart, "scratch": ScratchStart}
