"""TDMI's disentanglement of useful from useless motion: our surrogate, not its estimator."""

import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor

from tips.models.baselines.tdmi.network import Motion, Tdmi
from tips.models.baselines.tdmi.settings import Settings
from tips.terms import Loss, Pass


class DisentangleLoss(Loss):
    """The squared cosine between the two motions' means over positions, in place of I(M_u; M_n).

    It is 0 where they use different channels and 1 where one is a multiple of the other. It is no
    bound of the mutual information, and its values are not TDMI's. The gradient reaches both.
    """

    # Paper: TDMI minimises I(M_u; M_n) by an estimator it does not publish; here: OUR SURROGATE,
    # a squared cosine of pooled vectors, because no code of TDMI is public. Its further
    # regularisers are left out for the same reason.

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the mean over the batch."""
        own: Motion = one.output.own
        useful, useless = (M.mean(dim=(-2, -1)) for M in (own.useful, own.useless))
        return nnf.cosine_similarity(useful, useless, dim=-1).square().mean()


def terms(experiment: Settings, model: Tdmi) -> dict[str, Loss]:
    """Builds TDMI's own loss terms, by the name of their weight."""
    return {"disentangle": DisentangleLoss()}
