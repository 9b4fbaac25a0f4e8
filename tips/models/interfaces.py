"""The interfaces between the parts of a model."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.checkpoints import Published, Shapes
from tips.ops.heatmap import Decoding, decode
from tips.tensors import Coordinates, PoseOutput, Seen


class Backbone(nn.Module):
    """Images (B, 3, H, W) -> features F (B, C, H / stride, W / stride) of single frames.

    The stride is an attribute of the backbone's settings.
    """

    channels: int
    final_layer: nn.Conv2d  # the 1x1 heat-map head on F
    autocast: bool  # whether it runs in bfloat16
    # Names and shapes of tensors that a published file may hold although this network has no use
    # for them: all tensors of exactly one of these sets.
    unused: tuple[Shapes, ...] = ()

    def maps(self, F: Float[Tensor, "B C h w"]) -> Float[Tensor, "B J h w"]:
        """Computes the backbone's own heat maps from F alone."""
        maps: Tensor = self.final_layer(F)
        return maps

    def precision(self, images: Tensor) -> AbstractContextManager[Any]:
        """Gives the context in which the network's own layers run: bfloat16 or full precision."""
        # Full precision is nullcontext() and not autocast(enabled=False), because the meta device,
        # on which multiply-adds are counted, has no autocast.
        device = images.device.type
        return torch.autocast(device, torch.bfloat16) if self.autocast else nullcontext()

    def published(self) -> Mapping[str, Published]:
        """Says where each tensor of the network's published checkpoint belongs.

        Empty if no checkpoint is published.
        """
        return {}


class StagedBackbone(Backbone, ABC):
    """A backbone that also returns its map of finest resolution after each of four stages."""

    stage_channels: tuple[int, int, int, int]

    @abstractmethod
    def stages(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _C h w"]]:
        """Computes the map of finest resolution after every stage in one pass; the last is F."""


class PoseModel(nn.Module, ABC):
    """A window of crops -> the pose of frame t, as a PoseOutput.

    It is called with normalised images (B, T, 3, H, W) and with interim frames (B, I, 3, H, W),
    argument `rough`; I = T - 1, or 0 for a model that looks at no interim frame.
    """

    backbone: Backbone
    groups: tuple[tuple[int, ...], ...] = ()  # joint ids of each part group

    @abstractmethod
    def forward(
        self, images: Float[Tensor, "B T 3 H W"], rough: Float[Tensor, "B _i 3 H W"]
    ) -> PoseOutput:
        """Estimates the pose of frame t."""

    def coordinates(self, output: PoseOutput) -> Coordinates | None:
        """Computes Eq. 2, map px, for losses and pictures only; None without synthesized poses."""
        return None

    def start_from_backbone(self) -> None:
        """Copies weights of the loaded backbone into parts that learn faster from there.

        By default there is no such part.
        """

    def decode(
        self, output: PoseOutput, how: Decoding
    ) -> tuple[Float[Tensor, "B J 2"], Float[Tensor, "B J"]]:
        """Reads the predicted pose.

        Args:
            output: what `forward` returned.
            how: how a peak is refined to less than a pixel; see `tips.ops.heatmap.decode`.

        Returns:
            Joints in map px, x then y, and their scores.
        """
        return decode(output.maps, how)


class SecondStage(PoseModel):
    """A model on a frozen backbone, whose batch norms stay in evaluation mode.

    Args:
        backbone: trained by stage one; frozen from here on.
        t: position of frame t in the window.
    """

    # Paper: whether the pre-trained backbone is trained further is unstated; here: it is frozen
    # after a single-frame stage, because its whole family (DCPose, FAMI-Pose) freezes it.
    def __init__(self, backbone: Backbone, t: int) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.t = t

    def forward(
        self, images: Float[Tensor, "B T 3 H W"], rough: Float[Tensor, "B _i 3 H W"]
    ) -> PoseOutput:
        """Estimates the pose of frame t."""
        return self.estimate(self.look(images, rough))

    def look(self, images: Float[Tensor, "B T 3 H W"], rough: Float[Tensor, "B _i 3 H W"]) -> Seen:
        """Runs the backbone on frames and interim frames together, without gradient (Fig. 2a)."""
        counts = [images.shape[1], rough.shape[1]]
        pictures = torch.cat([images, rough], dim=1)
        with torch.no_grad():
            seen = self.backbone(pictures.flatten(0, 1)).unflatten(0, pictures.shape[:2])
        return Seen(*seen.split(counts, dim=1))

    @abstractmethod
    def estimate(self, seen: Seen) -> PoseOutput:
        """Estimates the pose of frame t from what the backbone saw."""

    def rough_coordinates(self, seen: Seen) -> Float[Tensor, "B _i J 2"]:
        """Reads a pose from each interim frame alone, map px; none for a model without C_real."""
        return seen.F.new_zeros(seen.F.shape[0], 0, 1, 2)

    def train(self, mode: bool = True) -> "SecondStage":  # not Self: beartype checks shapes
        """Switches everything but the frozen backbone to training mode."""
        super().train(mode)
        self.backbone.eval()
        return self
