from typing import Any

import pytest
import torch
from made_up import WIDTH, Says, auxiliary
from torch import Tensor

from tips.models.tips.information import (
    FeatureRedundancyLoss,
    RedundancyLoss,
    ReleasedComplementLoss,
    ReleasedRedundancyLoss,
    VarietyLoss,
)
from tips.ops.divergence import released_divergence

T = 1


def variety(case: Any, z_i: Tensor) -> Tensor:
    found: Tensor = case.inside(z_i=z_i).value(VarietyLoss())
    return found


@pytest.mark.parametrize(("groups", "expected"), [(1, 0.0), (2, 1.0), (5, 10.0), (15, 105.0)])
def test_equal_features_cost_one_per_pair(case: Any, groups: int, expected: float) -> None:
    z_i = torch.randn(2, 1, 6, 4, 4).expand(-1, groups, -1, -1, -1)
    assert variety(case, z_i).item() == pytest.approx(expected, rel=1e-5)


def test_orthogonal_and_opposite_features(case: Any) -> None:
    z_i = torch.eye(16).view(1, 16, 1, 4, 4)
    assert variety(case, z_i).item() == pytest.approx(0)
    opposite = torch.stack([z_i[:, 0], -3 * z_i[:, 0]], 1)
    assert variety(case, opposite).item() == pytest.approx(-1)


def test_variety_never_falls_below_minus_half_n_and_reaches_it(case: Any) -> None:
    z_i = torch.randn(1, 5, 2, 3, 3, requires_grad=True)
    optimizer = torch.optim.Adam([z_i], lr=0.1)
    for _ in range(120):
        optimizer.zero_grad()
        loss = variety(case, z_i)
        assert loss.item() >= -2.5 - 1e-5
        loss.backward()
        optimizer.step()
    assert loss.item() == pytest.approx(-2.5, abs=1e-3)


def test_variety_of_zero_features_has_a_finite_gradient(case: Any) -> None:
    z_i = torch.zeros(1, 3, 2, 3, 3, requires_grad=True)
    loss = variety(case, z_i)
    loss.backward()
    assert loss == 0
    assert torch.isfinite(z_i.grad).all()


def test_redundancy_vanishes_where_z_reads_like_its_branches(case: Any) -> None:
    """Then only the reference I(H; z_i) is left, which carries no gradient."""
    student = torch.zeros(2, 15, 16, 16)
    for group, maps in zip(case.groups, case.output.own.group_maps, strict=True):
        student[:, list(group)] = maps.detach()
    equal = case.value(RedundancyLoss(case.groups, Says(student)))
    worse = case.value(RedundancyLoss(case.groups, Says(student.roll(3, -1))))
    assert equal.item() < worse.item()
    perfect = case.inside(
        group_maps=tuple(case.target.maps[:, list(group)] for group in case.groups)
    )
    loss = RedundancyLoss(case.groups, Says(case.target.maps))
    assert perfect.value(loss).item() == pytest.approx(0, abs=1e-5)


def test_redundancy_leaves_its_teachers_alone(case: Any) -> None:
    h_z = auxiliary(WIDTH, T)
    loss = case.value(RedundancyLoss(case.groups, h_z))
    assert case.reached(loss) == {"z_tilde"}
    loss.backward()
    assert h_z.correction.weight.grad is not None
    assert h_z.correction.weight.grad.any()


def test_feature_redundancy_reaches_z_tilde_and_every_projector(case: Any) -> None:
    term = FeatureRedundancyLoss(case.groups, WIDTH)
    loss = case.value(term)
    assert case.reached(loss) == {"z_tilde"}
    loss.backward()
    assert all(p.weight.grad is not None and p.weight.grad.any() for p in term.projectors)


def test_released_terms_move_the_final_maps_and_no_head(case: Any) -> None:
    """As in the code they copy: the first argument is detached, the labels are predictions."""
    h_z = torch.nn.Conv2d(WIDTH, 15, 1)
    complement = case.value(ReleasedComplementLoss(h_z, T))
    assert case.reached(complement) == {"maps"}
    assert torch.autograd.grad(
        complement, list(h_z.parameters()), allow_unused=True, retain_graph=True
    ) == (None, None)
    redundancy = case.value(ReleasedRedundancyLoss(case.groups))
    assert case.reached(redundancy) == {"maps", "z_tilde"}
    assert abs(complement.item()) < 0.1
    assert abs(redundancy.item()) < 0.1


def test_released_terms_by_hand(case: Any) -> None:
    h_z = torch.nn.Conv2d(WIDTH, 15, 1)
    maps, own = case.output.maps, case.output.own
    complement = released_divergence(case.head(case.output.F[:, T]), maps) - released_divergence(
        h_z(own.z_tilde), maps
    )
    assert case.value(ReleasedComplementLoss(h_z, T)).item() == pytest.approx(
        complement.item(), rel=1e-4
    )
    redundancy = sum(
        released_divergence(own.group_maps[i], maps[:, list(group)])
        - released_divergence(own.z_i[:, i], own.z_tilde)
        for i, group in enumerate(case.groups)
    )
    assert case.value(ReleasedRedundancyLoss(case.groups)).item() == pytest.approx(
        torch.as_tensor(redundancy).item(), rel=1e-4
    )


def test_group_order_does_not_matter(case: Any) -> None:
    order = [3, 0, 4, 1, 2]
    own = case.output.own
    moved = case.inside(
        group_maps=tuple(own.group_maps[i] for i in order), z_i=own.z_i[:, order]
    )._replace(groups=tuple(case.groups[i] for i in order))
    h_z = auxiliary(WIDTH, T)
    for make in (
        lambda groups: VarietyLoss(),
        lambda groups: RedundancyLoss(groups, h_z),
        ReleasedRedundancyLoss,
    ):
        terms = [c.value(make(c.groups)).item() for c in (case, moved)]
        assert terms[0] == pytest.approx(terms[1], rel=1e-5)


def test_nobody_labelled_gives_no_nan(unlabelled: Any) -> None:
    h_z = auxiliary(WIDTH, T)
    loss = unlabelled.value(RedundancyLoss(unlabelled.groups, h_z))
    assert loss == 0
    assert not unlabelled.reached(loss)
    assert torch.isfinite(unlabelled.value(FeatureRedundancyLoss(unlabelled.groups, WIDTH)))
