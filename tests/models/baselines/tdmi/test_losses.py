from typing import Any

import pytest
import torch
from torch import Tensor

from tips.models.baselines.tdmi.losses import DisentangleLoss
from tips.models.baselines.tdmi.network import Motion


def value(case: Any, both: Tensor) -> Tensor:
    found: Tensor = case.having(own=Motion(*both.unbind(1))).value(DisentangleLoss())
    return found


def motions(useful: list[float], useless: list[float]) -> Tensor:
    """Maps whose means over positions are the given channels; what cancels out does not count."""
    noise = torch.randn(2, 2, len(useful), 4, 4)
    return torch.tensor([useful, useless])[:, :, None, None] + (
        noise - noise.mean(dim=(-2, -1), keepdim=True)
    )


@pytest.mark.parametrize(
    ("useful", "useless", "expected"),
    [
        ([1.0, 0.0, 0.0], [0.0, 2.0, 1.0], 0.0),
        ([1.0, 2.0, 3.0], [2.0, 4.0, 6.0], 1.0),
        ([1.0, 2.0, 3.0], [-1.0, -2.0, -3.0], 1.0),  # knowing the one is knowing the other
        ([1.0, 0.0, 0.0], [1.0, 1.0, 0.0], 0.5),
    ],
)
def test_squared_cosine_of_the_means(
    case: Any, useful: list[float], useless: list[float], expected: float
) -> None:
    assert value(case, motions(useful, useless)).item() == pytest.approx(expected, abs=1e-4)


def test_it_reaches_both_motions_alike(case: Any) -> None:
    both = motions([1.0, 2.0, 3.0], [3.0, 2.0, 1.0]).requires_grad_()
    (slope,) = torch.autograd.grad(value(case, both), [both])
    assert slope[:, 0].any()
    assert slope[:, 1].any()
    assert value(case, both.flip(1)).item() == pytest.approx(value(case, both).item(), rel=1e-5)


def test_no_motion_at_all_is_harmless(case: Any) -> None:
    both = torch.zeros(2, 2, 3, 4, 4, requires_grad=True)
    loss = value(case, both)
    loss.backward()
    assert loss == 0
    assert both.grad is not None
    assert torch.isfinite(both.grad).all()
