"""Kullback-Leibler divergences between maps read as distributions over positions."""

import torch
from jaxtyping import Float
from torch import Tensor

# Paper: no temperature; here: FAMI-Pose's 0.05 for heat maps, because at 1 the softmax of a heat
# map is uniform and the loss vanishes.
LABEL_TEMPERATURE = 0.05
FEATURE_TEMPERATURE = 0.5  # on standardised maps; at 0.05 the teacher would be one-hot


def divergence(
    teacher: Float[Tensor, "B C H W"], student: Float[Tensor, "B C H W"], temperature: float
) -> Float[Tensor, "B C"]:
    """Computes KL(teacher || student) per map, nats, gradient to the student only."""
    p = torch.log_softmax(teacher.detach().float().flatten(-2) / temperature, dim=-1)
    q = torch.log_softmax(student.float().flatten(-2) / temperature, dim=-1)
    return (p.exp() * (p - q)).sum(-1)


def label_divergence(
    teacher: Float[Tensor, "B g H W"],
    student: Float[Tensor, "B g H W"],
    weights: Float[Tensor, "B g"],
) -> Float[Tensor, ""]:
    """D_lab: mean divergence of heat maps over annotated joints (0 if there is none)."""
    apart = divergence(teacher, student, LABEL_TEMPERATURE)
    return (apart * weights).sum() / weights.sum().clamp(min=1.0)


def feature_divergence(
    teacher: Float[Tensor, "B C H W"], student: Float[Tensor, "B C H W"]
) -> Float[Tensor, ""]:
    """D_feat: mean divergence of feature maps, each standardised over its positions first."""
    return divergence(_standardised(teacher), _standardised(student), FEATURE_TEMPERATURE).mean()


def released_divergence(
    reference: Float[Tensor, "B C H W"], moving: Float[Tensor, "B C H W"]
) -> Float[Tensor, ""]:
    """The call in FAMI-Pose's released code: probabilities where kl_div wants their logarithm.

    Its value is mean(t log t - t p), mostly the negative entropy of the target, and its gradient
    goes to `moving` only.
    """
    p = torch.softmax(reference.detach().flatten(-2) / LABEL_TEMPERATURE, dim=-1)
    log_t = torch.log_softmax(moving.flatten(-2) / LABEL_TEMPERATURE, dim=-1)
    t = log_t.exp()
    return (t * log_t - t * p).mean()


def _standardised(maps: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    mean = maps.mean(dim=(-2, -1), keepdim=True)
    spread = maps.std(dim=(-2, -1), keepdim=True, correction=0)
    return (maps - mean) / (spread + 1e-5)
