"""Sums all loss terms by name and weight (Eq. 13-14)."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tips.models.interfaces import PoseModel
from tips.tensors import PoseOutput, Target, Window
from tips.terms import Loss, Pass


class Criterion(nn.Module):
    """Computes every loss term and their weighted sum.

    Args:
        terms: the terms by name, in the order in which they are summed.
        weights: weight of each of these terms, the paper's gammas multiplied in; others are not
            read.

    Raises:
        ValueError: if there is no term.
    """

    def __init__(self, terms: Mapping[str, Loss], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("losses must hold a term of weight above 0; all are 0, so set one")
        self.losses = nn.ModuleDict(dict(terms))
        self.weights = {name: weights[name] for name in terms}

    @property
    def reads_coordinates(self) -> bool:
        """Whether a term reads the coordinates of Eq. 2."""
        return any(getattr(loss, "reads_coordinates", False) for loss in self.losses.values())

    def forward(self, one: Pass) -> dict[str, Tensor]:
        """Computes every term by name, unweighted, and `total`, the weighted sum."""
        values = {name: loss(one) for name, loss in self.losses.items()}
        total = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return {**values, "total": total}


def forward_pass(
    model: PoseModel, window: Window, target: Target, *, coordinates: bool = True
) -> Pass:
    """Runs a model on a batch and gathers what its losses read.

    Args:
        model: the model.
        window: images and interim frames of the batch.
        target: what the losses compare with.
        coordinates: whether a loss reads the coordinates of Eq. 2.
    """
    return gathered(model, model(*window), target, coordinates=coordinates)


def gathered(model: PoseModel, output: PoseOutput, target: Target, *, coordinates: bool) -> Pass:
    """Gathers what losses read of a model's output; arguments as of `forward_pass`."""
    found = model.coordinates(output) if coordinates else None
    return Pass(output, target, found, model.backbone.maps)
