"""FAMI-Pose's mutual-information objective (its Eq. 5-8), corrected and as released.

Minimised: alpha [-beta I(y; z~ | z_t) + I(y; z_t | z~) + I(y; z_sup | z~)]. The weights alpha and
beta are the experiment's `losses.information` and `losses.complement`. z_t is F_t; z_sup is
the feature map of all aligned support frames together (`Support.z_sup`).

In the corrected form `ComplementLoss` stands for -I(y; z~ | z_t). It is an upper bound of it:
I(y; z~, z_t) is at least I(y; z~), so -I(y; z~ | z_t) is at most D_lab(z~) - D_lab(z_t).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.baselines.fami_pose.network import FamiPose, Support
from tips.models.baselines.fami_pose.settings import Settings
from tips.models.complement import AuxiliaryHead, ComplementLoss
from tips.ops.divergence import label_divergence, released_divergence
from tips.terms import Loss, Pass


class SupportRedundancyLoss(Loss):
    """I(y; z_t | z~) + I(y; z_sup | z~): z~ shall tell what z_t and z_sup tell about the labels.

    By variational self-distillation each term is KL(p(y | v) || p(y | z~)) with v = z_t or z_sup,
    detached; it is 0 where z~ predicts the same labels as v. The gradient reaches z~ and its head
    h_z. A second head h_sup reads z_sup. It is fitted to the labels by a term of value 0, whose
    gradient reaches h_sup alone.

    Args:
        h_z: head that reads heat maps from z~.
        h_sup: head that reads heat maps from z_sup.
        t: position of frame t in the window.
    """

    # Paper: FAMI-Pose reads z_sup with the backbone's head; here: with a head of its own, because
    # nothing trains z_sup to be read by that one and a teacher of noise would disturb z~.

    def __init__(self, h_z: nn.Module, h_sup: nn.Module, t: int) -> None:
        super().__init__()
        self.h_z, self.h_sup = h_z, h_sup
        self.t = t

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the sum of the two divergences, nats."""
        own: Support = one.output.own
        student = self.h_z(own.z_tilde, one)
        with torch.no_grad():
            from_frame = one.frame_maps(self.t)
        from_support = self.h_sup(own.z_sup.detach(), one)
        fit = label_divergence(one.target.maps, from_support, one.target.weights)
        return (
            label_divergence(from_frame, student, one.target.weights)
            + label_divergence(from_support, student, one.target.weights)
            + (fit - fit.detach())
        )


class _Released(Loss):
    """What both released terms share: the network's own final maps stand for the labels."""

    def __init__(self, t: int) -> None:
        super().__init__()
        self.t = t

    def label(self, v: Float[Tensor, "B C H W"], one: Pass) -> Float[Tensor, ""]:
        """Computes the released code's stand-in for I(y; v)."""
        return released_divergence(one.backbone_maps(v), one.output.maps)


class ReleasedSupportComplementLoss(_Released):
    """-I(y; z~ | z_t) as released: -I(y; z~) + I(z_t; z~), with a call of kl_div for every I."""

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the term; both I are the released code's calls."""
        own: Support = one.output.own
        feature = released_divergence(one.output.F[:, self.t], own.z_tilde)
        return _currency(one.output.maps) * (feature - self.label(own.z_tilde, one))


class ReleasedSupportRedundancyLoss(_Released):
    """I(y; v | z~) as released: I(y; v) - I(v; z~), summed over v = z_sup and v = z_t.

    The gradient reaches the final heat maps and z~.
    """

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the term; every I is the released code's call."""
        own: Support = one.output.own
        total = one.output.maps.new_zeros(())
        for v in (own.z_sup, one.output.F[:, self.t]):
            total = total + self.label(v, one) - released_divergence(v, own.z_tilde)
        return _currency(one.output.maps) * total


def _currency(maps: Float[Tensor, "B J H W"]) -> float:
    # Paper: FAMI-Pose's released heat-map loss and these calls are means over px; here: both are
    # sums over px, because beside our heat-map loss, a sum in the unit of a 96-high map, means
    # would weigh 7000 times less than released. Nats need no such unit: a joint has as many on a
    # map of any size. TIPS's control `information-released` keeps the means; see
    # models/tips/information.py.
    height, width = maps.shape[-2:]
    return float(height * width)


def terms(experiment: Settings, model: FamiPose) -> dict[str, Loss]:
    """Builds FAMI-Pose's own loss terms, by the name of their weight."""
    t = experiment.t
    if experiment.losses.estimator == "fami_released":
        return {
            "complement": ReleasedSupportComplementLoss(t),
            "redundancy": ReleasedSupportRedundancyLoss(t),
        }
    h_z, h_sup = (AuxiliaryHead(experiment.width, t) for _ in range(2))
    return {
        "complement": ComplementLoss(h_z, t),
        "redundancy": SupportRedundancyLoss(h_z, h_sup, t),
    }
