"""Eq. 13-14: the named, weighted sum of all terms."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from tips.models.interfaces import PoseModel
from tips.tensors import Target, Window
from tips.terms import Loss, Pass


class Criterion(nn.Module):
    """Sums its terms and returns each by name.

    Args:
        terms: by name, in the order in which they are summed.
        weights: of at least these, gammas multiplied out.

    Raises:
        ValueError: there is no term.
    """

    def __init__(self, terms: Mapping[str, Loss], weights: Mapping[str, float]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("losses must hold a term of weight above 0; all are 0, so set one")
        self.losses = nn.ModuleDict(dict(terms))
        self.weights = {name: weights[name] for name in terms}

    def forward(self, one: Pass) -> dict[str, Tensor]:
        """Computes every term, unweighted, and `total`, the weighted sum."""
        values = {name: loss(one) for name, loss in self.losses.items()}
        total = torch.stack([self.weights[name] * value for name, value in values.items()]).sum()
        return {**values, "total": total}


def forward_pass(model: PoseModel, window: Window, target: Target) -> Pass:
    """Runs a model on a batch and gives its losses what they look at."""
    output = model(*window)
    return Pass(output, target, model.coordinates(output), model.backbone.maps)
