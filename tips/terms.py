"""What a loss term is, and what it looks at."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from tips.tensors import Coordinates, PoseOutput, Target


class Pass(NamedTuple):
    """One forward pass over a batch, as the losses see it."""

    output: PoseOutput
    target: Target
    coordinates: Coordinates | None  # of a model that synthesizes poses
    backbone_maps: Callable[[Tensor], Tensor]  # F (B, C, h, w) -> heat maps (B, J, h, w)

    def frame_maps(self, t: int) -> Tensor:
        """The backbone's own heat maps of one frame of the window (B, J, h, w)."""
        return self.backbone_maps(self.output.F[:, t])


class Loss(nn.Module, ABC):
    """One term, minimised: a scalar per batch.

    A term may own heads that only it needs; they are optimised and checkpointed with the
    criterion and never count as the model's.
    """

    @abstractmethod
    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the term."""
