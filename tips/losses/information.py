"""Eq. 7-12: diversity of the groups, complementary and redundant information in z~.

Mutual information is bounded by variational self-distillation: I(H; X) becomes minus the
divergence between the labels and what a head reads from X.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.losses.base import Loss
from tips.losses.divergence import feature_divergence, label_divergence, released_divergence
from tips.tensors import Coordinates, PoseOutput, Target

Maps = Callable[[Tensor], Tensor]


class VarietyLoss(Loss):
    """Eq. 7: cosine similarity of each pair of group features. Never below -N / 2."""

    # Paper: the sum of Eq. 7 includes i = j; here: i < j, because the diagonal is the constant N.
    name = "variety"

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Sums over pairs, means over the batch."""
        flat = nnf.normalize(output.z_i.flatten(2), dim=-1, eps=1e-8)
        similar = flat @ flat.transpose(1, 2)
        return similar.triu(diagonal=1).sum(dim=(1, 2)).mean()


class ComplementLoss(Loss):
    """Eq. 8 with Eq. 12: what z~ tells about the labels beyond F_t.

    The two I(F; z~) cancel, so L_com = I(H; F) - I(H; z~) = D_lab(z~) - D_lab(F_t); negative
    where z~ knows more than F_t. Gradient reaches z~ and the auxiliary head h_z.
    """

    # Paper: Eq. 12 in Eq. 8 leaves two I(F; z~) terms; here: they cancel and are not computed,
    # because mutual information is symmetric.
    name = "complement"

    def __init__(self, backbone_maps: Maps, h_z: nn.Module, t: int) -> None:
        super().__init__()
        self.h_z = h_z
        self.t = t
        self._backbone_maps = [backbone_maps]  # in a list: not a submodule of the criterion

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Computes the difference of two divergences, nats."""
        with torch.no_grad():
            from_frame = self._backbone_maps[0](output.F[:, self.t])
            known = label_divergence(target.maps, from_frame, target.weights)
        return label_divergence(target.maps, self.h_z(output.z_tilde), target.weights) - known


class RedundancyLoss(Loss):
    """Eq. 9 with Eq. 11 at label level: z~ says about each group what its branch says.

    L_red = sum_i I(H; z_i) - I(z_i; z~). The first term is a detached reference that drifts with
    the groups' maps, so a falling value alone does not say that z~ learns.
    """

    # Paper: M between feature maps without an estimator; here: divergences between the heat maps
    # read from them, because that is the variational self-distillation the paper cites.
    # Paper: no stop-gradient in Eq. 9-11; here: I(H; z_i) and the groups' maps are detached
    # teachers, because minimising I(H; z_i) would make the group features less informative.
    name = "redundancy"

    def __init__(self, groups: Sequence[Sequence[int]], h_z: nn.Module) -> None:
        super().__init__()
        self.groups = [list(group) for group in groups]
        self.h_z = h_z

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Computes the sum over groups, nats. Gradient reaches z~ and h_z."""
        student = self.h_z(output.z_tilde)
        total = output.z_tilde.new_zeros(())
        for group, maps in zip(self.groups, output.group_maps, strict=True):
            weights = target.weights[:, group]
            known = label_divergence(target.maps[:, group], maps, weights).detach()
            total = total - known + label_divergence(maps, student[:, group], weights)
        return total


class FeatureRedundancyLoss(Loss):
    """Eq. 9 with Eq. 11 at feature level: z~ holds each group's feature map.

    Each group has a projector of its own; without it N different teachers would ask one student
    for contradictory maps.
    """

    name = "redundancy"

    def __init__(self, groups: Sequence[Sequence[int]], width: int) -> None:
        super().__init__()
        self.groups = [list(group) for group in groups]
        self.projectors = nn.ModuleList(nn.Conv2d(width, width, 1) for _ in self.groups)

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Computes the sum over groups, nats. Gradient reaches z~ and the projectors."""
        total = output.z_tilde.new_zeros(())
        for i, (group, maps) in enumerate(zip(self.groups, output.group_maps, strict=True)):
            weights = target.weights[:, group]
            known = label_divergence(target.maps[:, group], maps, weights).detach()
            student = self.projectors[i](output.z_tilde)
            total = total - known + feature_divergence(output.z_i[:, i], student)
        return total


class ReleasedComplementLoss(Loss):
    """Eq. 8 as FAMI-Pose's released code would compute it; nearly constant by construction.

    Gradient reaches the network's final maps only, never z~ itself; h_z stays at its start.
    """

    # Paper: in FAMI-Pose's released code these calls and the heat-map loss are means over px; here:
    # these (Eq. 8 and 9) are means beside the sum of Eq. 6, H W times weaker than in that code and
    # than in the rival `fami-pose-released` (losses/fami.py), because this control puts the
    # released call into TIPS at TIPS's own weights and changes nothing else.
    name = "complement"

    def __init__(self, backbone_maps: Maps, h_z: nn.Module, t: int) -> None:
        super().__init__()
        self.h_z = h_z
        self.t = t
        self._backbone_maps = [backbone_maps]

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Puts the released call where an I stands; labels are the network's own final maps."""
        from_frame = self._backbone_maps[0](output.F[:, self.t])
        known = released_divergence(from_frame, output.maps)
        return known - released_divergence(self.h_z(output.z_tilde), output.maps)


class ReleasedRedundancyLoss(Loss):
    """Eq. 9 as FAMI-Pose's released code would compute it. Gradient: final maps and z~."""

    name = "redundancy"

    def __init__(self, groups: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.groups = [list(group) for group in groups]

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Sums I(H; z_i) - I(z_i; z~) with the released call for I."""
        total = output.z_tilde.new_zeros(())
        for i, (group, maps) in enumerate(zip(self.groups, output.group_maps, strict=True)):
            label = released_divergence(maps, output.maps[:, group])
            total = total + label - released_divergence(output.z_i[:, i], output.z_tilde)
        return total


def auxiliary_head(width: int) -> nn.Conv2d:
    """h_z: reads heat maps from z~; shared by the information terms, owned by the criterion."""
    return nn.Conv2d(width, skeleton.COUNT, 1)
