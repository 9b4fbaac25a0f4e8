from typing import Any

import pytest
import torch
from torch import Tensor

from tips.models.tips.trajectory import AnchorLoss, TrajectoryLoss, trajectory_loss
from tips.ops.integral import interval_points
from tips.tensors import Coordinates

POINTS = [(1.5, 0.5), (1.0, 1.0), (0.5, 1.5)]
ALL = torch.ones(2, 15)


def real(frames: int = 5) -> Tensor:
    draw = torch.Generator().manual_seed(1)
    return 16 * torch.rand(2, frames, 15, 2, generator=draw, dtype=torch.float64)


def on_the_line(R: Tensor, points: list[tuple[float, float]]) -> Tensor:
    """Poses at time s of every interval."""
    return torch.stack([R[:, :-1] + s * (R[:, 1:] - R[:, :-1]) for s in interval_points(points)], 1)


@pytest.mark.parametrize("points", [[POINTS[0]], [POINTS[1]], [POINTS[2]], POINTS, POINTS[::2]])
def test_poses_at_time_half_beta_cost_nothing(points: list[tuple[float, float]]) -> None:
    R = real()
    assert trajectory_loss(R, on_the_line(R, points), ALL, points).item() == pytest.approx(0)


def test_sum_over_intervals_mean_over_people_joints_and_points() -> None:
    R = real()
    for points in (POINTS[:1], POINTS):
        moved = on_the_line(R, points) + torch.tensor([0.5, -0.25], dtype=torch.float64)
        # Each of the 4 intervals: |2 * 0.5| + |2 * 0.25| = 1.5.
        assert trajectory_loss(R, moved, ALL, points).item() == pytest.approx(6.0)


def test_k_points_cost_the_mean_of_each_alone() -> None:
    R = real()
    poses = torch.rand(2, 3, 4, 15, 2, dtype=torch.float64)
    alone = [trajectory_loss(R, poses[:, k : k + 1], ALL, [POINTS[k]]) for k in range(3)]
    together = trajectory_loss(R, poses, ALL, POINTS)
    assert together.item() == pytest.approx(torch.stack(alone).mean().item())


def test_swapping_alpha_and_beta_reverses_time() -> None:
    R = real()
    poses = torch.rand(2, 3, 4, 15, 2, dtype=torch.float64)
    swapped = [(beta, alpha) for alpha, beta in POINTS]
    forward = trajectory_loss(R, poses, ALL, POINTS)
    backward = trajectory_loss(R.flip(1), poses.flip(2), ALL, swapped)
    assert forward.item() == pytest.approx(backward.item())


def test_joints_without_label_at_t_do_not_count() -> None:
    R, weights = real(), torch.ones(2, 15)
    weights[:, 5:] = 0
    off = on_the_line(R, POINTS[:1]) + 1.0
    assert trajectory_loss(R, off, weights, POINTS[:1]).item() == pytest.approx(16 * 5 / 15)


@pytest.mark.parametrize("points", [[point] for point in POINTS])
def test_a_padded_interval_asks_for_the_repeated_pose(points: list[tuple[float, float]]) -> None:
    """At a clip's end R_w = R_{w+1}, so every point of the line is that pose; it still counts."""
    R = real(3)
    R[:, 2] = R[:, 1]
    poses = on_the_line(R, points)
    assert torch.allclose(poses[:, 0, 1], R[:, 1])
    assert trajectory_loss(R, poses, ALL, points).item() == pytest.approx(0)
    poses[:, :, 1] += 1.0
    assert trajectory_loss(R, poses, ALL, points).item() == pytest.approx(4.0)


@pytest.mark.parametrize("height", [16, 96])
def test_terms_are_shares_of_the_crops_height(case: Any, height: int) -> None:
    given = case.having(maps=torch.zeros(2, 15, height, 8))
    target = case.target._replace(weights=torch.ones(2, 15))
    R = target.joints[:, None].expand(-1, 3, -1, -1)
    shifted = Coordinates(R + 1.0, (R + 1.5)[:, None, :2])
    given = given._replace(coordinates=shifted, target=target)
    for loss in (TrajectoryLoss([(1.0, 1.0)]), AnchorLoss(1)):
        assert given.value(loss).item() == pytest.approx(2 * 2 / height, rel=1e-5)


def test_trajectory_moves_the_synthesized_poses_only(case: Any) -> None:
    loss = case.value(TrajectoryLoss([(1.0, 1.0)]))
    assert case.reached(loss) == {"R_interim"}


def test_anchor_moves_frame_t_only(case: Any) -> None:
    loss = case.value(AnchorLoss(1))
    assert case.reached(loss) == {"R"}
    (slope,) = torch.autograd.grad(loss, [case.coordinates.R])
    assert slope[:, 1].any()
    assert not slope[:, [0, 2]].any()


def test_anchor_compares_with_joints_that_are_not_rounded(case: Any) -> None:
    target = case.target
    exact = case.coordinates._replace(R=target.joints[:, None].expand(-1, 3, -1, -1))
    assert case._replace(coordinates=exact).value(AnchorLoss(1)) == 0


def test_nobody_labelled_costs_nothing_and_gives_no_nan(unlabelled: Any) -> None:
    for loss in map(unlabelled.value, (TrajectoryLoss([(1.0, 1.0)]), AnchorLoss(1))):
        assert loss == 0
        assert not unlabelled.reached(loss)
