"""Eq. 13-14: the named, weighted sum of all terms."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tips.losses.base import Loss
from tips.tensors import Coordinates, PoseOutput, Target


class Weighted(NamedTuple):
    """A term and its complete weight, gammas multiplied out."""

    loss: Loss
    weight: float


class Criterion(nn.Module):
    """Sums its terms and returns each by name. Raises ValueError if there is none."""

    def __init__(self, terms: Sequence[Weighted]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("losses must hold a term of weight above 0; all are 0, so set one")
        self.losses = nn.ModuleDict({term.loss.name: term.loss for term in terms})
        self.weights = {term.loss.name: term.weight for term in terms}

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> dict[str, Tensor]:
        """Computes every term, unweighted, and `total`, the weighted sum."""
        values = {name: loss(output, coordinates, target) for name, loss in self.losses.items()}
        total = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return {**values, "total": total}
