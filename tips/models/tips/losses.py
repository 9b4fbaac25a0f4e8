"""The terms of TIPS: Eq. 6 with groups, 4-5 and 15 of synthesis, 7-12 of distillation."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.models.complement import AuxiliaryHead, ComplementLoss
from tips.models.tips.information import (
    FeatureRedundancyLoss,
    RedundancyLoss,
    ReleasedComplementLoss,
    ReleasedRedundancyLoss,
    VarietyLoss,
)
from tips.models.tips.network import Tips
from tips.models.tips.record import Inside
from tips.models.tips.settings import Settings
from tips.models.tips.trajectory import AnchorLoss, TrajectoryLoss
from tips.ops.heatmap import heatmap_error
from tips.terms import Loss, Pass


class GroupedHeatmapLoss(Loss):
    """Eq. 6: the error of the final heat maps plus that of every group's heat maps."""

    # Paper: the first term of Eq. 6 compares H^ with itself; here: H~ with H^, because no other
    # reading trains anything.
    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.order = [joint for group in groups for joint in group]  # joints, group after group

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes H of Eq. 6."""
        # Paper: a sum over groups without a divisor; here: each group's sum divided by J, not by
        # its size, because otherwise the groups would weigh 15 times as much at N = 15.
        own: Inside = one.output.own
        target = one.target
        joints = target.weights.shape[1]
        total = heatmap_error(one.output.maps, target.maps, target.weights, joints)
        none = one.output.maps[:, :0]  # without distillation there is no group
        of_groups = torch.cat([none, *own.group_maps], dim=1)
        maps, weights = target.maps[:, self.order], target.weights[:, self.order]
        return total + heatmap_error(of_groups, maps, weights, joints)


def terms(experiment: Settings, model: Tips) -> dict[str, Loss]:
    """Builds TIPS's own loss terms by name; its `heatmap` replaces the common term."""
    e = experiment
    found: dict[str, Loss] = {"heatmap": GroupedHeatmapLoss(model.groups)}
    if e.synthesis is not None:
        found |= {"trajectory": TrajectoryLoss(e.points), "anchor": AnchorLoss(e.t)}
    if e.distillation is not None:
        found |= _information(e, model)
    return found


def _information(e: Settings, model: Tips) -> dict[str, Loss]:
    if e.losses.estimator == "fami_released":
        return {
            "variety": VarietyLoss(),
            "complement": ReleasedComplementLoss(nn.Conv2d(e.width, skeleton.COUNT, 1), e.t),
            "redundancy": ReleasedRedundancyLoss(model.groups),
        }
    h_z = AuxiliaryHead(e.width, e.t)
    redundancy = (
        RedundancyLoss(model.groups, h_z)
        if e.losses.red_level == "label"
        else FeatureRedundancyLoss(model.groups, e.width)
    )
    return {
        "variety": VarietyLoss(),
        "complement": ComplementLoss(h_z, e.t),
        "redundancy": redundancy,
    }
