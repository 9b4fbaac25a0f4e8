"""Eq. 6: squared error of the final and of the group heat maps."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from tips.losses.base import Loss
from tips.ops.heatmap import sigma
from tips.tensors import Coordinates, PoseOutput, Target


def px_weight(height: int) -> float:
    """Says what 1 px of a map counts beside 1 px of a 96-high one, by their Gaussians' areas."""
    return 9.0 / sigma(height) ** 2


def heatmap_error(
    maps: Float[Tensor, "B g H W"],
    target: Float[Tensor, "B g H W"],
    weights: Float[Tensor, "B g"],
    joints: int,
) -> Float[Tensor, ""]:
    """Sums squared differences over px and joints, divided by the count of all joints.

    The unit is that of a 96-high map with sigma 3 at every resolution: an all-zero prediction
    costs about 9 pi per annotated joint everywhere.
    """
    # Paper: ||.|| of Eq. 6 without a reduction; here: squared, summed over px, mean over all J
    # joints, because with a mean over px the other losses (px, nats) would be 1000 times larger.
    squared = ((maps - target) ** 2).sum(dim=(-2, -1))
    return px_weight(maps.shape[-2]) * (weights * squared).sum() / (maps.shape[0] * joints)


class HeatmapLoss(Loss):
    """Eq. 6: the final maps plus every group's maps."""

    # Paper: the first term of Eq. 6 compares H^ with itself; here: H~ with H^, because no other
    # reading trains anything.
    name = "heatmap"

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.groups = [list(group) for group in groups]

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Computes H."""
        # Paper: a sum over groups without a divisor; here: each group's sum divided by J, not by
        # its size, because otherwise the groups would weigh 15 times as much at N = 15.
        joints = target.weights.shape[1]
        total = heatmap_error(output.maps, target.maps, target.weights, joints)
        for group, maps in zip(self.groups, output.group_maps, strict=True):
            total = total + heatmap_error(
                maps, target.maps[:, group], target.weights[:, group], joints
            )
        return total
