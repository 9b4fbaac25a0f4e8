from typing import Any

import pytest
import torch
from torch import Tensor

from tips.criterion import Criterion
from tips.terms import Loss


class Constant(Loss):
    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = torch.nn.Parameter(torch.tensor(value))

    def forward(self, one: Any) -> Tensor:
        return self.value * 1.0


def test_total_is_the_weighted_sum_and_terms_stay_unweighted() -> None:
    terms = {"a": Constant(3.0), "b": Constant(-2.0)}
    criterion = Criterion(terms, {"b": 2.0, "a": 0.1, "another": 5.0})
    assert criterion.weights == {"a": 0.1, "b": 2.0}
    terms = criterion(None)
    assert {name: value.item() for name, value in terms.items()} == pytest.approx(
        {"a": 3.0, "b": -2.0, "total": -3.7}
    )
    terms["total"].backward()
    assert [p.grad.item() for p in criterion.parameters()] == pytest.approx([0.1, 2.0])


def test_a_criterion_without_any_term_is_refused() -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        Criterion({}, {})
