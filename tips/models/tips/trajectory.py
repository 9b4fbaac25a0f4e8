"""Eq. 4, 5 and 15: a synthesized pose shall lie on the line between its neighbours' poses."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from tips.tensors import Coordinates
from tips.terms import Loss, Pass


def trajectory_loss(
    R: Float[Tensor, "B T J 2"],
    R_interim: Float[Tensor, "B K I J 2"],
    weights: Float[Tensor, "B J"],
    points: Sequence[tuple[float, float]],
) -> Float[Tensor, ""]:
    """Computes Eq. 15: S_w summed over intervals, averaged over batch, joints and K points.

    No gradient reaches the ends R_w and R_{w+1}. Only R_t is compared with labels, so with a
    gradient the other ends could move together until every pose lies on the line.

    Args:
        R: coordinates of the poses in the frames, any unit.
        R_interim: coordinates of the synthesized poses, in the same unit.
        weights: 1 where a joint is labelled at frame t, else 0; neighbours carry no labels.
        points: (alpha, beta) of each of the K points.
    """
    # Paper: every joint of every interval counts; here: joints labelled and inside the crop at t,
    # repeated frames included, because neighbours carry no labels and a still pose is on its line.
    # Paper: the sums of Eq. 4 and 5 have no divisor; here: the mean over all J joints, because the
    # heat-map loss beside them is divided by J as well.
    # Paper: Eq. 15 with several points per interval has no reduction; here: the mean over the K
    # points, because gamma_s must weigh the same at any K.
    # Paper: no stop-gradient is mentioned; here: the ends are detached, because "every frame
    # predicts R_t" also makes S_w zero.
    ends = R.detach()
    total = R_interim.new_zeros(())
    for k, (alpha, beta) in enumerate(points):
        line = alpha * ends[:, :-1] + beta * ends[:, 1:]
        # Paper: the norm is unspecified; here: L1, because integral regression uses it.
        apart = (line - 2 * R_interim[:, k]).abs().sum(-1)
        total = total + (apart * weights[:, None]).sum()
    return total / (R.shape[0] * R.shape[2] * len(points))


class TrajectoryLoss(Loss):
    """Sum of S_w over the window, as a share of the crop's height."""

    # Paper: L_s has no unit and weight 1; here: shares of the crop's height, as integral regression
    # has them, because in px of a 96-high map its gradient on the synthesizer is 150 to 800 times
    # the heat maps' and the synthesizer would learn from S_w alone.

    reads_coordinates: ClassVar[bool] = True

    def __init__(self, points: Sequence[tuple[float, float]]) -> None:
        super().__init__()
        self.points = list(points)

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the first part of Eq. 5."""
        found = _coordinates(one)
        apart = trajectory_loss(found.R, found.R_interim, one.target.weights, self.points)
        return apart / one.output.maps.shape[-2]


class AnchorLoss(Loss):
    """2 ||R^_t - R_t||, the second part of Eq. 5, as a share of the crop's height."""

    # Paper: L_s trains the whole network; here: this term trains C_real alone and S_w the
    # synthesizer and C_syn, because the backbone is frozen: of L_s only S_w can move a prediction.

    reads_coordinates: ClassVar[bool] = True

    def __init__(self, t: int) -> None:
        super().__init__()
        self.t = t

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the distance to the annotated coordinates, which are not rounded to pixels."""
        known = torch.where(one.target.weights[..., None] > 0, one.target.joints, 0.0)
        apart = (_coordinates(one).R[:, self.t] - known).abs().sum(-1)
        return 2 * (apart * one.target.weights).mean() / one.output.maps.shape[-2]


def _coordinates(one: Pass) -> Coordinates:
    assert one.coordinates is not None
    return one.coordinates
