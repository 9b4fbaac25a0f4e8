from typing import Any

import pytest
import torch
import torch.nn.functional as nnf
from made_up import BATCH, CHANNELS, SIZE, Reads, auxiliary, leaf
from torch import Tensor

from tips.models.baselines.fami_pose.losses import (
    ReleasedSupportComplementLoss,
    ReleasedSupportRedundancyLoss,
    SupportRedundancyLoss,
)
from tips.models.baselines.fami_pose.network import Support
from tips.ops.divergence import label_divergence

T = 1
ALPHA, BETA = 0.5, 0.1


@pytest.fixture
def rival(case: Any) -> Any:
    """FAMI-Pose has the backbone's width everywhere, so one head reads F_t, z_sup and z~."""
    maps = [leaf(BATCH, CHANNELS, SIZE, SIZE) for _ in range(2)]
    return case.having(own=Support(*maps))


def kl_div(first: Tensor, second: Tensor) -> Tensor:
    """The released call, with its probabilities and its mean."""
    p, t = (torch.softmax(maps.flatten(0, 1).flatten(1) / 0.05, dim=1) for maps in (first, second))
    return nnf.kl_div(p, t, reduction="none").mean()


def test_released_objective_is_the_sum_of_six_calls(rival: Any) -> None:
    """alpha [-b I(y;z~) + b I(z_t;z~) + I(y;z_sup) - I(z_sup;z~) + I(y;z_t) - I(z_t;z~)].

    Each call is a mean over px; here it is a sum, as the heat-map loss is.
    """
    head, own = rival.head, rival.output.own
    y, z_t, z_sup, z_tilde = (
        maps.detach() for maps in (rival.output.maps, rival.output.F[:, T], own.z_sup, own.z_tilde)
    )
    expected = ALPHA * (
        -BETA * kl_div(head(z_tilde), y)
        + BETA * kl_div(z_t, z_tilde)
        + kl_div(head(z_sup), y)
        - kl_div(z_sup, z_tilde)
        + kl_div(head(z_t), y)
        - kl_div(z_t, z_tilde)
    )
    complement = rival.value(ReleasedSupportComplementLoss(T))
    redundancy = rival.value(ReleasedSupportRedundancyLoss(T))
    found = ALPHA * (BETA * complement + redundancy)
    assert found.item() == pytest.approx(SIZE * SIZE * expected.item(), rel=1e-4)
    assert expected.item() != pytest.approx(0, abs=1e-4)


def test_released_terms_move_the_final_maps_and_z_tilde(rival: Any) -> None:
    """The first argument is detached: z_t and z_sup are never moved."""
    for term in (ReleasedSupportComplementLoss(T), ReleasedSupportRedundancyLoss(T)):
        assert rival.reached(rival.value(term)) == {"maps", "z_tilde"}
        assert not list(term.parameters())


def test_redundancy_is_what_z_tilde_does_not_say_of_both(rival: Any) -> None:
    h_z, h_sup = auxiliary(CHANNELS, T), auxiliary(CHANNELS, T)
    output, weights = rival.output, rival.target.weights
    own = output.own
    expected = sum(
        label_divergence(teacher, h_z(own.z_tilde, rival.one), weights)
        for teacher in (rival.head(output.F[:, T]), h_sup(own.z_sup, rival.one))
    )
    found = rival.value(SupportRedundancyLoss(h_z, h_sup, T))
    assert found.item() == pytest.approx(torch.as_tensor(expected).item(), rel=1e-5)
    assert found.item() > 0


def test_redundancy_is_none_where_z_tilde_says_what_both_say(rival: Any) -> None:
    """The same head and the same map for all three; it grows as they part."""
    z = rival.output.F[:, T].detach()
    term = SupportRedundancyLoss(Reads(rival.head), Reads(rival.head), T)

    def at(z_tilde: Tensor) -> float:
        return float(rival.inside(z_sup=z, z_tilde=z_tilde).value(term))

    near, far = z + 0.01 * torch.randn_like(z), torch.randn_like(z)
    assert at(z) == pytest.approx(0, abs=1e-4)
    assert at(z) < at(near) < at(far)


def test_redundancy_moves_z_tilde_and_leaves_its_teachers_alone(rival: Any) -> None:
    h_z, h_sup = auxiliary(CHANNELS, T), auxiliary(CHANNELS, T)
    loss = rival.value(SupportRedundancyLoss(h_z, h_sup, T))
    assert rival.reached(loss) == {"z_tilde"}
    loss.backward()
    assert h_z.correction.weight.grad is not None
    assert h_z.correction.weight.grad.any()


def test_the_head_of_z_sup_is_fitted_to_the_labels_alone(rival: Any) -> None:
    """Its slope is that of its own divergence from the labels, whatever z~ says."""
    h_z, h_sup = auxiliary(CHANNELS, T), auxiliary(CHANNELS, T)
    loss = rival.value(SupportRedundancyLoss(h_z, h_sup, T))
    (found,) = torch.autograd.grad(loss, [h_sup.correction.weight])
    fit = label_divergence(
        rival.target.maps, h_sup(rival.output.own.z_sup.detach(), rival.one), rival.target.weights
    )
    (expected,) = torch.autograd.grad(fit, [h_sup.correction.weight])
    assert torch.allclose(found, expected)


def test_nobody_labelled_gives_no_nan(unlabelled: Any) -> None:
    own = Support(*(leaf(BATCH, CHANNELS, SIZE, SIZE) for _ in range(2)))
    heads = [auxiliary(CHANNELS, T) for _ in range(2)]
    assert unlabelled.having(own=own).value(SupportRedundancyLoss(*heads, T)) == 0
