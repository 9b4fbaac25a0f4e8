"""Eq. 6 without part groups: squared error of the predicted heat maps."""

from jaxtyping import Float
from torch import Tensor

from tips.ops.heatmap import heatmap_error
from tips.terms import Loss, Pass


class HeatmapLoss(Loss):
    """Squared error of the final heat maps."""

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes H of Eq. 6 without its sum over groups."""
        target = one.target
        joints = target.weights.shape[1]
        return heatmap_error(one.output.maps, target.maps, target.weights, joints)


def build(experiment: object, model: object) -> HeatmapLoss:
    """Builds the term; it has no settings and needs nothing of the model."""
    return HeatmapLoss()
