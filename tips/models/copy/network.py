"""A control without training: each joint's heat map is copied from the frame that is surest of it.

What this takes of a table's head-room needs neither motion nor synthesis: a damaged frame has a
neighbour that is not damaged.
"""

import torch

from tips.config import Parts
from tips.models.copy.settings import Settings
from tips.models.interfaces import Backbone, SecondStage
from tips.tensors import PoseOutput, Seen


class Copy(SecondStage):
    """The backbone's own heat maps, for each joint those of the frame with the highest peak."""

    def estimate(self, seen: Seen) -> PoseOutput:
        """Copies the heat maps; interim frames are not read."""
        F = seen.F
        maps = self.backbone.maps(F.flatten(0, 1)).unflatten(0, F.shape[:2])  # (B, T, J, h, w)
        surest = maps.flatten(-2).max(dim=-1).values.argmax(dim=1)  # (B, J)
        index = surest[:, None, :, None, None].expand(-1, 1, -1, *maps.shape[-2:])
        return PoseOutput(torch.gather(maps, 1, index)[:, 0], F)


def build(e: Settings, backbone: Backbone, groups: Parts) -> Copy:
    """Builds the control.

    Args:
        e: the experiment's settings.
        backbone: frozen.
        groups: not read; there are no part groups.
    """
    return Copy(backbone, e.t)
