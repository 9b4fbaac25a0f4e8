"""Kullback-Leibler divergences between maps read as distributions over positions."""

import torch
from jaxtyping import Float
from torch import Tensor

# Paper: no temperature; here: FAMI-Pose's 0.05 for heat maps, because at 1 the softmax of a heat
# map is uniform and the loss vanishes.
LABEL_TEMPERATURE = 0.05
FEATURE_TEMPERATURE = 0.5  # for standardised maps; at 0.05 the teacher would be nearly one-hot


def divergence(
    teacher: Float[Tensor, "B C H W"], student: Float[Tensor, "B C H W"], temperature: float
) -> Float[Tensor, "B C"]:
    """Computes KL(teacher || student) of each map, nats. The gradient reaches the student only.

    Args:
        teacher: logits of the reference distributions over positions.
        student: logits of the distributions that are compared with them.
        temperature: divisor of all logits.
    """
    p = torch.log_softmax(teacher.detach().float().flatten(-2) / temperature, dim=-1)
    q = torch.log_softmax(student.float().flatten(-2) / temperature, dim=-1)
    return (p.exp() * (p - q)).sum(-1)


def label_divergence(
    teacher: Float[Tensor, "B g H W"],
    student: Float[Tensor, "B g H W"],
    weights: Float[Tensor, "B g"],
) -> Float[Tensor, ""]:
    """Computes D_lab, the mean divergence of heat maps over annotated joints, nats.

    Args:
        teacher: heat maps of g joints.
        student: heat maps of the same joints.
        weights: 1 where a joint is annotated, else 0; if none is, the result is 0.
    """
    apart = divergence(teacher, student, LABEL_TEMPERATURE)
    return (apart * weights).sum() / weights.sum().clamp(min=1.0)


def feature_divergence(
    teacher: Float[Tensor, "B C H W"], student: Float[Tensor, "B C H W"]
) -> Float[Tensor, ""]:
    """Computes D_feat, the mean divergence of feature maps, nats.

    Each map is first standardised over its positions.
    """
    return divergence(_standardised(teacher), _standardised(student), FEATURE_TEMPERATURE).mean()


def released_divergence(
    reference: Float[Tensor, "B C H W"], moving: Float[Tensor, "B C H W"]
) -> Float[Tensor, ""]:
    """Computes what FAMI-Pose's released code calls a divergence.

    It passes probabilities to kl_div, which expects their logarithm. So with p of `reference` and
    t of `moving` the value is mean(t log t - t p), mostly the negative entropy of t. The gradient
    reaches `moving` only.
    """
    p = torch.softmax(reference.detach().flatten(-2) / LABEL_TEMPERATURE, dim=-1)
    log_t = torch.log_softmax(moving.flatten(-2) / LABEL_TEMPERATURE, dim=-1)
    t = log_t.exp()
    return (t * log_t - t * p).mean()


def _standardised(maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    mean = maps.mean(dim=(-2, -1), keepdim=True)
    spread = maps.std(dim=(-2, -1), keepdim=True, correction=0)
    return (maps - mean) / (spread + 1e-5)
