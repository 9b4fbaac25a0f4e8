"""TIPS: Fig. 2 in order, nothing else."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.interfaces import Backbone, SecondStage
from tips.tensors import Coordinates, PoseOutput


class Tips(SecondStage):
    """Backbone, synthesizer, fusion, distiller, head; absent parts are null objects.

    Args:
        backbone: frozen.
        t: position of frame t in the window.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        synthesizer: nn.Module,
        fuse: nn.Module,
        distiller: nn.Module,
        start: nn.Module,
        head: nn.Module,
        coordinate_heads: nn.Module,
        t: int,
    ) -> None:
        super().__init__(backbone, t)
        self.synthesizer = synthesizer
        self.fuse = fuse
        self.distiller = distiller
        self.start = start
        self.head = head
        self.coordinate_heads = coordinate_heads

    def forward(
        self, images: Float[Tensor, "B T 3 H W"], rough: Float[Tensor, "B I 3 H W"]
    ) -> PoseOutput:
        """Estimates the heat maps of frame t from a window."""
        # Fig. 2a: frames and rough interim frames in one batch.
        counts = [images.shape[1], rough.shape[1]]
        F, F_rough = self.features(torch.cat([images, rough], dim=1)).split(counts, dim=1)
        F_interim = self.synthesizer(F, F_rough)  # Fig. 2b, Eq. 1
        z = self.fuse(F, F_interim)  # Fig. 2c
        start = self.start(F[:, self.t], self.backbone)
        z_tilde, z_i, group_maps = self.distiller(z, start)
        maps = self.head(z_tilde, F[:, self.t], start)  # Fig. 2d
        none = maps.new_zeros(len(maps), 0, 2)
        return PoseOutput(maps, group_maps, F, F_interim, z, z_i, z_tilde, none, none)

    def coordinates(self, output: PoseOutput) -> Coordinates:
        """Computes Eq. 2 in map px. Never called at inference."""
        coordinates: Coordinates = self.coordinate_heads(output)
        return coordinates
