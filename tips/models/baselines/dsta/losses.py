"""Residual log-likelihood estimation (Li et al., ICCV 2021): the loss of regressed coordinates."""

import math
from itertools import cycle, islice

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.models.baselines.dsta.network import Dsta
from tips.models.baselines.dsta.settings import Settings
from tips.terms import Loss, Pass

COUPLINGS, HIDDEN = 6, 64


class RealNVP(nn.Module):
    """An invertible map between a normal z and residuals x in the plane (Dinh et al., ICLR 2017).

    Each coupling keeps one coordinate; it scales and shifts the other one by amounts that it
    computes from the kept one. Fresh weights are small, so that the map starts near the identity.
    """

    masks: Float[Tensor, "couplings 2"]  # 1 where a coupling keeps the coordinate

    def __init__(self) -> None:
        super().__init__()
        kept = list(islice(cycle(([0.0, 1.0], [1.0, 0.0])), COUPLINGS))
        self.register_buffer("masks", torch.tensor(kept))
        self.scales = nn.ModuleList(nn.Sequential(_mlp(), nn.Tanh()) for _ in kept)
        self.shifts = nn.ModuleList(_mlp() for _ in kept)

    def forward(self, z: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
        """Maps normal points to residuals."""
        x = z
        for mask, scale, shift in zip(self.masks, self.scales, self.shifts, strict=True):
            kept = mask * x
            x = kept + (1 - mask) * (x * torch.exp(scale(kept)) + shift(kept))
        return x

    def inverse(self, x: Float[Tensor, "N 2"]) -> tuple[Float[Tensor, "N 2"], Float[Tensor, " N"]]:
        """Maps residuals to normal points.

        Returns:
            The points z, and the logarithm of the determinant |dz / dx| of each.
        """
        z, volume = x, x.new_zeros(len(x))
        couplings = list(zip(self.masks, self.scales, self.shifts, strict=True))
        for mask, scale, shift in reversed(couplings):
            kept = mask * z
            log_scale = (1 - mask) * scale(kept)
            z = kept + (1 - mask) * (z - shift(kept)) * torch.exp(-log_scale)
            volume = volume - log_scale.sum(-1)
        return z, volume

    def log_prob(self, x: Float[Tensor, "N 2"]) -> Float[Tensor, " N"]:
        """Computes the logarithm of the density of residuals."""
        z, volume = self.inverse(x)
        return volume - (z**2).sum(-1) / 2 - math.log(2 * math.pi)


def _mlp() -> nn.Sequential:
    layers = [nn.Linear(2, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, 2)]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight, gain=0.01)
    first, second, last = layers
    return nn.Sequential(first, nn.LeakyReLU(), second, nn.LeakyReLU(), last)


class LikelihoodLoss(Loss):
    """-log Q(r) - log G(r) + log sigma, nats, of residuals r in units of the predicted sigma.

    Q is a Laplace density of scale 1. G is the density of the flow, which learns how the true
    density of the residuals differs from Q. Residuals and sigma are shares of the map's width
    and height, so that the term means the same at every map size.
    """

    # Paper: RLE's and DSTA's released code adds log sigma once with Q and once with G, and G once
    # per coordinate; here: each once, because that is the equation of the RLE paper.

    def __init__(self) -> None:
        super().__init__()
        self.flow = RealNVP()

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes the sum over labelled joints, divided by the number of all joints."""
        target, regressed = one.target, one.output.regressed
        assert regressed is not None
        known = target.weights > 0
        height, width = one.output.maps.shape[-2:]
        apart = torch.where(known[..., None], target.joints - regressed.joints, 0.0)
        residual = apart / apart.new_tensor([width, height]) / regressed.spread
        laplace = (math.log(2) + residual.abs()).sum(-1)
        flow = self.flow.log_prob(residual.flatten(0, 1)).view_as(laplace)
        cost = laplace - flow + torch.log(regressed.spread).sum(-1)
        return (target.weights * cost).mean()


def terms(experiment: Settings, model: Dsta) -> dict[str, Loss]:
    """Builds DSTA's own terms."""
    return {"likelihood": LikelihoodLoss()}
