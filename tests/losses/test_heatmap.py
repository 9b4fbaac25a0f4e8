from typing import Any

from tips.losses.heatmap import HeatmapLoss
from tips.ops.heatmap import heatmap_error


def test_it_is_the_error_of_the_final_maps_whatever_else_a_model_says(case: Any) -> None:
    target = case.target
    whole = heatmap_error(case.output.maps, target.maps, target.weights, 15)
    assert case.value(HeatmapLoss()) == whole
    assert case.having(own=None, regressed=None).value(HeatmapLoss()) == whole


def test_gradient_reaches_the_final_maps_only(case: Any) -> None:
    assert case.reached(case.value(HeatmapLoss())) == {"maps"}


def test_nobody_labelled_costs_nothing(unlabelled: Any) -> None:
    assert unlabelled.value(HeatmapLoss()) == 0
