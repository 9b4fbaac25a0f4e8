from typing import Any

import pytest
import torch
from torch import Tensor

from tips.losses.base import Loss
from tips.training.criterion import Criterion, Weighted


class Constant(Loss):
    def __init__(self, name: str, value: float) -> None:
        super().__init__()
        self.name = name
        self.value = torch.nn.Parameter(torch.tensor(value))

    def forward(self, output: Any, coordinates: Any, target: Any) -> Tensor:
        return self.value * 1.0


def test_total_is_the_weighted_sum_and_terms_stay_unweighted() -> None:
    criterion = Criterion([Weighted(Constant("a", 3.0), 0.1), Weighted(Constant("b", -2.0), 2.0)])
    terms = criterion(None, None, None)
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(
        {"a": 3.0, "b": -2.0, "total": -3.7}
    )
    terms["total"].backward()
    assert [p.grad.item() for p in criterion.parameters()] == pytest.approx([0.1, 2.0])


def test_a_criterion_without_any_term_is_refused() -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        Criterion([])
