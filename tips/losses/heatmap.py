"""Eq. 6 without part groups: squared error of the predicted heat maps."""

from jaxtyping import Float
from torch import Tensor

from tips.ops.heatmap import heatmap_error
from tips.terms import Loss, Pass


class HeatmapLoss(Loss):
    """Squared error of the final maps."""

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes H without groups."""
        target = one.target
        joints = target.weights.shape[1]
        return heatmap_error(one.output.maps, target.maps, target.weights, joints)


def build(experiment: object, model: object) -> HeatmapLoss:
    """Builds the term."""
    return HeatmapLoss()
