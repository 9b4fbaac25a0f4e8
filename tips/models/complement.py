"""Complementary information, Eq. 8: what z~ tells beyond F_t. TIPS and FAMI-Pose share it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.models.layers import zeroed
from tips.ops.divergence import label_divergence
from tips.terms import Loss, Pass


class ComplementLoss(Loss):
    """Eq. 8 with Eq. 12: what z~ tells about the labels beyond F_t.

    The two terms I(F; z~) cancel, so L_com = I(H; F) - I(H; z~) = D_lab(z~) - D_lab(F_t). It is
    negative where z~ tells more than F_t. The gradient reaches z~ and the auxiliary head h_z.
    """

    # Paper: Eq. 12 in Eq. 8 leaves two I(F; z~) terms; here: they cancel and are not computed,
    # because mutual information is symmetric.

    def __init__(self, h_z: nn.Module, t: int) -> None:
        super().__init__()
        self.h_z = h_z
        self.t = t

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the difference of the two divergences, nats."""
        with torch.no_grad():
            from_frame = one.frame_maps(self.t)
            known = label_divergence(one.target.maps, from_frame, one.target.weights)
        found = self.h_z(one.output.own.z_tilde, one)
        return label_divergence(one.target.maps, found, one.target.weights) - known


class AuxiliaryHead(nn.Module):
    """Reads heat maps from a feature map: the backbone's maps of frame t plus a correction.

    The correction is zero at first. The information terms share one head, h_z; it belongs to the
    criterion and is no part of the model.

    Args:
        width: D, channels of the feature map.
        t: position of frame t in the window.
    """

    # Paper: how I(H; z~) is read from z~ is unstated; here: by a head that corrects the backbone's
    # maps of frame t, zero at first, because I(H; z~ | F_t) of Eq. 8 is what z~ adds to F_t; a head
    # from scratch would cost 23 nats at the start, and its gradient would drown the heat maps'.
    def __init__(self, width: int, t: int) -> None:
        super().__init__()
        self.correction = zeroed(nn.Conv2d(width, skeleton.COUNT, 1))
        self.t = t

    def forward(self, z: Float[Tensor, "B D h w"], one: Pass) -> Float[Tensor, "B J h w"]:
        """Computes the heat maps; no gradient reaches the backbone's part."""
        maps: Tensor = one.frame_maps(self.t).detach() + self.correction(z)
        return maps
