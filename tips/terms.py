"""The interface of a loss term, and what it reads."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

from tips.tensors import Coordinates, PoseOutput, Target


class Pass(NamedTuple):
    """One forward pass over a batch, which the losses read."""

    output: PoseOutput
    target: Target
    # None for a model without synthesized poses, or if no term reads coordinates
    coordinates: Coordinates | None
    backbone_maps: Callable[[Tensor], Tensor]  # F (B, C, h, w) -> heat maps (B, J, h, w)

    def frame_maps(self, t: int) -> Tensor:
        """Computes the backbone's own heat maps (B, J, h, w) of frame `t` of the window."""
        return self.backbone_maps(self.output.F[:, t])


class Loss(nn.Module, ABC):
    """One term of the loss: a scalar per batch, which training minimises.

    A term may own heads that only it needs. They are optimised and saved with the criterion, and
    do not count as parameters of the model.
    """

    reads_coordinates: ClassVar[bool] = False  # whether it reads `Pass.coordinates`

    @abstractmethod
    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the term, without its weight."""
