"""Eq. 7-12: diversity of the groups, complementary and redundant information in z~.

Mutual information is bounded by variational self-distillation: I(H; X) becomes minus the
divergence between the labels and the heat maps that a head reads from X.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.tips.record import Inside
from tips.ops.divergence import feature_divergence, label_divergences, released_divergence
from tips.terms import Loss, Pass


class VarietyLoss(Loss):
    """Eq. 7: cosine similarity of group features, summed over pairs. Never below -N / 2."""

    # Paper: the sum of Eq. 7 includes i = j; here: i < j, because the diagonal is the constant N.

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the sum over pairs of groups, as a mean over the batch."""
        own: Inside = one.output.own
        flat = own.z_i.flatten(2)
        # The products are divided, not the features: these are a thousand times as many numbers.
        lengths = flat.norm(dim=-1).clamp(min=1e-8)
        similar = flat @ flat.transpose(1, 2) / (lengths[:, :, None] * lengths[:, None])
        return similar.triu(diagonal=1).sum(dim=(1, 2)).mean()


class GroupReference:
    """I(H; z_i) of Eq. 9, and means over groups of what is known for each joint.

    Args:
        groups: joint ids of each part group.
    """

    # Paper: Eq. 9 sums over the N groups; here: the mean over groups, because the sum grows with N
    # (23, 105 and 317 nats at N = 1, 5 and 15 at first) and Table V compares different N.
    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        self.order = [joint for group in groups for joint in group]  # joints, group after group
        self.sizes = [len(group) for group in groups]

    def mean(self, values: Float[Tensor, "B J"], one: Pass) -> Float[Tensor, ""]:
        """Averages over each group's annotated joints, then over groups.

        Args:
            values: one number per joint, in the order `order`.
            one: the pass, whose target says which joints are annotated.
        """
        weights = one.target.weights[:, self.order]
        sums = (values * weights).sum(0).split(self.sizes)
        counts = weights.sum(0).split(self.sizes)
        parts = zip(sums, counts, strict=True)
        return torch.stack([total.sum() / n.sum().clamp(min=1.0) for total, n in parts]).mean()

    def known(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the mean of -I(H; z_i), nats, without gradient."""
        with torch.no_grad():
            maps = torch.cat(one.output.own.group_maps, dim=1)
            return self.mean(label_divergences(one.target.maps[:, self.order], maps), one)


class RedundancyLoss(Loss):
    """Eq. 9 with Eq. 11 at label level: z~ shall predict each group's joints as its branch does.

    L_red = mean_i I(H; z_i) - I(z_i; z~). The first term is a detached reference that changes with
    the groups' maps, so a falling value alone does not show that z~ learns.
    """

    # Paper: M between feature maps without an estimator; here: divergences between the heat maps
    # read from them, because that is the variational self-distillation the paper cites.
    # Paper: no stop-gradient in Eq. 9-11; here: I(H; z_i) and the groups' maps are detached
    # teachers, because minimising I(H; z_i) would make the group features less informative.

    def __init__(self, groups: Sequence[Sequence[int]], h_z: nn.Module) -> None:
        super().__init__()
        self.reference = GroupReference(groups)
        self.h_z = h_z

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the mean over groups, nats. The gradient reaches z~ and h_z."""
        own: Inside = one.output.own
        reference = self.reference
        maps = torch.cat(own.group_maps, dim=1)
        student = self.h_z(own.z_tilde, one)[:, reference.order]
        apart = reference.mean(label_divergences(maps, student), one)
        return apart - reference.known(one)


class FeatureRedundancyLoss(Loss):
    """Eq. 9 with Eq. 11 at feature level: z~ shall contain the feature map of each group.

    Each group compares with a projection of its own of z~. Without projections z~ would have to
    equal N different maps at once.
    """

    def __init__(self, groups: Sequence[Sequence[int]], width: int) -> None:
        super().__init__()
        self.reference = GroupReference(groups)
        self.projectors = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in groups)

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the mean over groups, nats. The gradient reaches z~ and the projectors."""
        own: Inside = one.output.own
        apart = [
            feature_divergence(own.z_i[:, i], project(own.z_tilde))
            for i, project in enumerate(self.projectors)
        ]
        return torch.stack(apart).mean() - self.reference.known(one)


class ReleasedComplementLoss(Loss):
    """Eq. 8 as FAMI-Pose's released code would compute it; nearly constant by construction.

    The gradient reaches the network's final heat maps only. It reaches neither z~ itself nor h_z,
    which keeps its initial weights.
    """

    # Paper: in FAMI-Pose's released code these calls and the heat-map loss are means over px; here:
    # these (Eq. 8 and 9) are means beside the sum of Eq. 6, H W times weaker than in that code and
    # than in the rival `fami-pose-released` (models/baselines/fami_pose/losses.py), because this
    # control puts the released call into TIPS at TIPS's own weights and changes nothing else.

    def __init__(self, h_z: nn.Module, t: int) -> None:
        super().__init__()
        self.h_z = h_z
        self.t = t

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes Eq. 8 with the released call for every I; the final maps stand for labels."""
        from_frame = one.frame_maps(self.t)
        own: Inside = one.output.own
        known = released_divergence(from_frame, one.output.maps)
        return known - released_divergence(self.h_z(own.z_tilde), one.output.maps)


class ReleasedRedundancyLoss(Loss):
    """Eq. 9 as FAMI-Pose's released code would compute it.

    The gradient reaches the network's final heat maps and z~.
    """

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.groups = [list(group) for group in groups]

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the sum of I(H; z_i) - I(z_i; z~) with the released call for every I."""
        own: Inside = one.output.own
        total = own.z_tilde.new_zeros(())
        for i, (group, maps) in enumerate(zip(self.groups, own.group_maps, strict=True)):
            label = released_divergence(maps, one.output.maps[:, group])
            total = total + label - released_divergence(own.z_i[:, i], own.z_tilde)
        return total
