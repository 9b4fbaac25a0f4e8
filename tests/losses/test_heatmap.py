import math
from typing import Any

import pytest
import torch

from tips import skeleton
from tips.losses.heatmap import HeatmapLoss, heatmap_error
from tips.ops.heatmap import encode


@pytest.mark.parametrize("height", [96, 64, 32, 16, 192])
def test_a_zero_prediction_costs_nine_pi_per_joint_at_every_size(height: int) -> None:
    joints = torch.full((15, 2), height / 2).numpy()
    target = torch.from_numpy(encode(joints, torch.ones(15).numpy(), height, height))[None]
    cost = heatmap_error(torch.zeros_like(target), target, torch.ones(1, 15), 15)
    assert cost.item() == pytest.approx(9 * math.pi, rel=2e-3)


@pytest.mark.parametrize(("shift", "error"), [(1, 1.55), (2, 5.95), (4, 20.3), (8, 47.1)])
def test_cost_of_a_displaced_prediction(shift: int, error: float) -> None:
    """The table of the design page losses.md: squared error summed over a 96 x 72 map."""
    one = torch.ones(1).numpy()
    at, moved = torch.tensor([[36.0, 48.0]]), torch.tensor([[36.0 + shift, 48.0]])
    maps = [torch.from_numpy(encode(joint.numpy(), one, 96, 72))[None] for joint in (at, moved)]
    assert heatmap_error(*maps, torch.ones(1, 1), 1).item() == pytest.approx(error, rel=5e-3)


def test_perfect_maps_cost_nothing_and_joints_without_label_are_free() -> None:
    target = torch.rand(2, 15, 16, 16)
    assert heatmap_error(target, target, torch.ones(2, 15), 15) == 0
    weights = torch.ones(2, 15)
    weights[:, 3] = 0
    wrong = target.clone()
    wrong[:, 3] += 5
    assert heatmap_error(wrong, target, weights, 15) == 0


def test_groups_together_weigh_as_much_as_the_whole_for_every_partition(case: Any) -> None:
    target = case.target
    maps = case.output.maps
    for groups in skeleton.GROUPS.values():
        parts = tuple(groups.values())
        output = case.output._replace(group_maps=tuple(maps[:, list(part)] for part in parts))
        loss = HeatmapLoss(parts)(output, case.coordinates, target)
        whole = heatmap_error(maps, target.maps, target.weights, 15)
        assert loss.item() == pytest.approx(2 * whole.item(), rel=1e-5)


def test_gradient_reaches_final_and_group_maps_only(case: Any) -> None:
    loss = HeatmapLoss(case.groups)(case.output, case.coordinates, case.target)
    assert case.reached(loss) == {"maps", "group_maps"}


def test_groups_and_maps_must_match(case: Any) -> None:
    with pytest.raises(ValueError, match="argument"):
        HeatmapLoss(case.groups[:4])(case.output, case.coordinates, case.target)


def test_nobody_labelled_costs_nothing(unlabelled: Any) -> None:
    loss = HeatmapLoss(unlabelled.groups)
    assert loss(unlabelled.output, unlabelled.coordinates, unlabelled.target) == 0
