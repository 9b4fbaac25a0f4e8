"""What every loss term is."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from tips.tensors import Coordinates, PoseOutput, Target


class Loss(nn.Module, ABC):
    """One named term. Minimised; a scalar per batch.

    A term may own heads that only it needs; they are optimised and checkpointed with the
    criterion and never count as the model's.
    """

    name: str

    @abstractmethod
    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Computes the term."""
