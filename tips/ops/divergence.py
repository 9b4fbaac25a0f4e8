"""Kullback-Leibler divergences between maps read as distributions over positions."""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

from tips.ops.heatmap import sigma

# Paper: no temperature; here: FAMI-Pose's 0.05 for heat maps of the paper's size, because at 1 the
# softmax of a heat map is uniform and the loss vanishes. Maps of other sizes have the temperature
# at which a label has as many nats; see `label_temperature`.
LABEL_TEMPERATURE = 0.05
PAPER_SIZE = (96, 72)  # height and width of the paper's maps
FEATURE_TEMPERATURE = 0.5  # for standardised maps; at 0.05 the teacher would be nearly one-hot


@functools.cache
def label_temperature(height: int, width: int) -> float:
    """Finds the temperature at which a label says as much as on the paper's map at 0.05.

    There the softmax of a label has an entropy of 2.15 nats. At 0.05 it would have 0.014 on a map
    of 16 x 16: the teacher would be one-hot.

    Args:
        height: height of the map, map px.
        width: width of the map, map px.

    Returns:
        The divisor of heat maps, 0.05 on a map of 96 x 72.
    """
    wanted = _label_entropy(*PAPER_SIZE, LABEL_TEMPERATURE)
    low, high = 0.01, 10.0  # a label has nearly no entropy at the one, nearly all at the other
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (
            (low, middle) if _label_entropy(height, width, middle) > wanted else (middle, high)
        )
    return round(high, 6)


def _label_entropy(height: int, width: int, temperature: float) -> float:
    """Computes the entropy, nats, of the softmax of the label of a joint in the map's middle."""
    y = torch.arange(height, dtype=torch.float64)[:, None] - height // 2
    x = torch.arange(width, dtype=torch.float64)[None, :] - width // 2
    label = torch.exp(-(x**2 + y**2) / (2 * sigma(height) ** 2))
    log_p = torch.log_softmax(label.flatten() / temperature, dim=0)
    return -float((log_p.exp() * log_p).sum())


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


def label_divergences(
    teacher: Float[Tensor, "B g H W"], student: Float[Tensor, "B g H W"]
) -> Float[Tensor, "B g"]:
    """Computes the divergence of each joint's heat maps, nats."""
    height, width = teacher.shape[-2:]
    return divergence(teacher, student, label_temperature(height, width))


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
    apart = label_divergences(teacher, student)
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
