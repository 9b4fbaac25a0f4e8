"""What the parts of a model promise each other."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.weights import Published
from tips.tensors import Coordinates, PoseOutput


class Backbone(nn.Module):
    """Images (B, 3, H, W) -> features F (B, C, H / stride, W / stride) of single frames."""

    channels: int
    stride: int
    final_layer: nn.Conv2d  # the 1x1 heat-map head on F
    autocast: bool  # run in bfloat16
    unused = ""  # prefix of a published file's keys that this network does without

    def maps(self, F: Float[Tensor, "B C h w"]) -> Float[Tensor, "B J h w"]:
        """Computes the backbone's own heat maps from F alone."""
        maps: Tensor = self.final_layer(F)
        return maps

    def precision(self, images: Tensor) -> AbstractContextManager[Any]:
        """Where the network's own layers run."""
        # Not autocast(enabled=False): the meta device, where costs are counted, knows no autocast.
        device = images.device.type
        return torch.autocast(device, torch.bfloat16) if self.autocast else nullcontext()

    def published(self) -> Mapping[str, Published]:
        """Says where each tensor of the network's published checkpoint belongs."""
        raise NotImplementedError


class PoseModel(nn.Module):
    """A window of crops -> heat maps of frame t, as a PoseOutput.

    Called with normalised images (B, T, 3, H, W) and interim frames (B, T - 1 or 0, 3, H, W).
    """

    backbone: Backbone

    def coordinates(self, output: PoseOutput) -> Coordinates:
        """Computes Eq. 2, map px; for losses and pictures only."""
        raise NotImplementedError
