"""TDMI's disentanglement of useful from useless motion: our surrogate, not its estimator."""

import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor

from tips.losses.base import Loss
from tips.tensors import Coordinates, PoseOutput, Target


class DisentangleLoss(Loss):
    """Stands for I(M_u; M_n): the squared cosine between the two motions' means over positions.

    It is 0 where they live in different channels and 1 where one is a multiple of the other; no
    bound of the mutual information, and its figures are not TDMI's. Gradient reaches both.
    """

    # Paper: TDMI minimises I(M_u; M_n) by an estimator it does not publish; here: OUR SURROGATE,
    # a squared cosine of pooled vectors, because no code of TDMI is public. Its further
    # regularisers are left out for the same reason.
    name = "disentangle"

    def forward(
        self, output: PoseOutput, coordinates: Coordinates, target: Target
    ) -> Float[Tensor, ""]:
        """Means over the batch."""
        useful, useless = output.z_i.mean(dim=(-2, -1)).unbind(1)
        return nnf.cosine_similarity(useful, useless, dim=-1).square().mean()
