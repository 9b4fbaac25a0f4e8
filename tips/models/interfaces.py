"""What the parts of a model promise each other."""

from jaxtyping import Float
from torch import Tensor, nn

from tips.tensors import Coordinates, PoseOutput


class Backbone(nn.Module):
    """Images (B, 3, H, W) -> features F (B, C, H / stride, W / stride) of single frames."""

    channels: int
    stride: int

    def maps(self, F: Float[Tensor, "B C h w"]) -> Float[Tensor, "B J h w"]:
        """Computes the backbone's own heat maps from F alone."""
        raise NotImplementedError


class PoseModel(nn.Module):
    """A window of crops -> heat maps of frame t, as a PoseOutput.

    Called with normalised images (B, T, 3, H, W) and interim frames (B, T - 1 or 0, 3, H, W).
    """

    backbone: Backbone

    def coordinates(self, output: PoseOutput) -> Coordinates:
        """Computes Eq. 2, map px; for losses and pictures only."""
        raise NotImplementedError
