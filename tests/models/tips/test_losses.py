from typing import Any

import pytest
from jaxtyping import TypeCheckError

from tips import skeleton
from tips.models.tips.losses import GroupedHeatmapLoss
from tips.ops.heatmap import heatmap_error


def test_groups_together_weigh_as_much_as_the_whole_for_every_partition(case: Any) -> None:
    target = case.target
    maps = case.output.maps
    for groups in skeleton.GROUPS.values():
        parts = tuple(groups.values())
        given = case.inside(group_maps=tuple(maps[:, list(part)] for part in parts))
        whole = heatmap_error(maps, target.maps, target.weights, 15)
        found = given.value(GroupedHeatmapLoss(parts))
        assert found.item() == pytest.approx(2 * whole.item(), rel=1e-5)


def test_gradient_reaches_final_and_group_maps_only(case: Any) -> None:
    loss = case.value(GroupedHeatmapLoss(case.groups))
    assert case.reached(loss) == {"maps", "group_maps"}


def test_groups_and_maps_must_match(case: Any) -> None:
    with pytest.raises(TypeCheckError, match=r"dimension|shape|type"):
        case.value(GroupedHeatmapLoss(case.groups[:4]))


def test_nobody_labelled_costs_nothing(unlabelled: Any) -> None:
    assert unlabelled.value(GroupedHeatmapLoss(unlabelled.groups)) == 0
