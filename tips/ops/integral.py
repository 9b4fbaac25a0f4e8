"""Soft-argmax: the integral operator of Eq. 2-3."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def integral(logits: Float[Tensor, "... H W"]) -> Float[Tensor, "... 2"]:
    """Computes the expected position under the softmax of a map. Eq. 3.

    It is not an argmax: of a heat map in [0, 1] it gives nearly the map's centre. So the input must
    be logits from a head that is made for it.

    Args:
        logits: unbounded scores, any leading dimensions.

    Returns:
        x then y in map px, x in [0, W - 1], y in [0, H - 1].
    """
    # Paper: q in R^{1x1} in Eq. 3; here: q in R^2, because a position in a map has two numbers.
    height, width = logits.shape[-2:]
    at_least_single = torch.promote_types(logits.dtype, torch.float32)  # never bfloat16
    mass = torch.softmax(logits.flatten(-2), dim=-1, dtype=at_least_single)
    mass = mass.unflatten(-1, (height, width))
    x = torch.arange(width, dtype=mass.dtype, device=mass.device)
    y = torch.arange(height, dtype=mass.dtype, device=mass.device)
    return torch.stack([(mass.sum(-2) * x).sum(-1), (mass.sum(-1) * y).sum(-1)], dim=-1)


def interval_points(points: Sequence[tuple[float, float]]) -> list[float]:
    """Computes the times s = beta / 2 of the synthesized poses, 0 at w and 1 at w + 1 (Eq. 15)."""
    # Paper: "the ratio of alpha/beta is lower/higher, the synthesized points are closer to
    # R_w/R_{w+1}"; here: reversed, because Eq. 15 gives R' = (alpha R_w + beta R_{w+1}) / 2.
    return [beta / 2 for _, beta in points]
