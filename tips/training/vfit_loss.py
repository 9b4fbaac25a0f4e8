"""Compares the interim frame that VFIT makes with the true one, at three sizes."""

import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn

from tips.data.vfit_samples import Middle
from tips.interim.vfit.network import Interpolated
from tips.training.loop import Job


class MiddleLoss(nn.Module):
    """The mean absolute difference to the target, at full, half and quarter size."""

    # Paper: VFIT is taken as published; here: trained by this loss where a dataset has middle
    # frames of its own, because no published weights are on a package registry.
    def forward(self, made: Interpolated, truth: Float[Tensor, "B 3 H W"]) -> dict[str, Tensor]:
        """Computes the three terms by name, and `total`, their sum."""
        terms = {
            name: (
                image - nnf.interpolate(truth, image.shape[-2:], mode="bilinear", antialias=True)
            )
            .abs()
            .mean()
            for name, image in made._asdict().items()
        }
        return {**terms, "total": sum(terms.values(), truth.new_zeros(()))}


def middle_terms(job: Job, stacked: Middle) -> dict[str, Tensor]:
    """Runs VFIT on one batch. Returns every loss by name, and their `total`."""
    made = job.model(stacked.frames.to(job.device))
    terms: dict[str, Tensor] = job.criterion(made, stacked.truth.to(job.device))
    return terms
