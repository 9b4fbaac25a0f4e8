from typing import Any

import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor, nn

from tips.losses.base import Loss
from tips.losses.divergence import label_divergence
from tips.losses.fami import (
    ReleasedSupportComplementLoss,
    ReleasedSupportRedundancyLoss,
    SupportRedundancyLoss,
)
from tips.losses.information import ComplementLoss, auxiliary_head

T, CHANNELS, BATCH, SIZE = 1, 6, 2, 16
ALPHA, BETA = 0.5, 0.1


@pytest.fixture
def rival(case: Any) -> Any:
    """FAMI-Pose has the backbone's width everywhere, so one head reads F_t, z_sup and z~."""
    F = torch.randn(BATCH, 3, CHANNELS, SIZE, SIZE, requires_grad=True)
    return case._replace(output=case.output._replace(F=F))


def backbone_head() -> nn.Conv2d:
    return nn.Conv2d(CHANNELS, 15, 1).requires_grad_(False)


def value(loss: Loss, case: Any) -> Tensor:
    return loss(case.output, case.coordinates, case.target)


def kl_div(first: Tensor, second: Tensor) -> Tensor:
    """The released call, with its probabilities and its mean."""
    p, t = (torch.softmax(maps.flatten(0, 1).flatten(1) / 0.05, dim=1) for maps in (first, second))
    return nnf.kl_div(p, t, reduction="none").mean()


def test_released_objective_is_the_sum_of_six_calls(rival: Any) -> None:
    """alpha [-b I(y;z~) + b I(z_t;z~) + I(y;z_sup) - I(z_sup;z~) + I(y;z_t) - I(z_t;z~)].

    Each call is a mean over px; here it is a sum, as the heat-map loss is.
    """
    head = backbone_head()
    y, z_t, z_sup, z_tilde = (
        maps.detach()
        for maps in (rival.output.maps, rival.output.F[:, T], rival.output.z, rival.output.z_tilde)
    )
    expected = ALPHA * (
        -BETA * kl_div(head(z_tilde), y)
        + BETA * kl_div(z_t, z_tilde)
        + kl_div(head(z_sup), y)
        - kl_div(z_sup, z_tilde)
        + kl_div(head(z_t), y)
        - kl_div(z_t, z_tilde)
    )
    complement = value(ReleasedSupportComplementLoss(head, T), rival)
    redundancy = value(ReleasedSupportRedundancyLoss(head, T), rival)
    found = ALPHA * (BETA * complement + redundancy)
    assert found.item() == pytest.approx(SIZE * SIZE * expected.item(), rel=1e-4)
    assert expected.item() != pytest.approx(0, abs=1e-4)


def test_released_terms_move_the_final_maps_and_z_tilde(rival: Any) -> None:
    """The first argument is detached: z_t and z_sup are never moved."""
    head = backbone_head()
    for term in (ReleasedSupportComplementLoss(head, T), ReleasedSupportRedundancyLoss(head, T)):
        assert rival.reached(value(term, rival)) == {"maps", "z_tilde"}
        assert not list(term.parameters())


def test_redundancy_is_what_z_tilde_does_not_say_of_both(rival: Any) -> None:
    head, h_z, h_sup = backbone_head(), auxiliary_head(CHANNELS), auxiliary_head(CHANNELS)
    output, weights = rival.output, rival.target.weights
    expected = sum(
        label_divergence(teacher, h_z(output.z_tilde), weights)
        for teacher in (head(output.F[:, T]), h_sup(output.z))
    )
    found = value(SupportRedundancyLoss(head, h_z, h_sup, T), rival)
    assert found.item() == pytest.approx(torch.as_tensor(expected).item(), rel=1e-5)
    assert found.item() > 0


def test_redundancy_is_none_where_z_tilde_says_what_both_say(rival: Any) -> None:
    """The same head and the same map for all three; it grows as they part."""
    head = auxiliary_head(CHANNELS)
    z = rival.output.F[:, T].detach()
    term = SupportRedundancyLoss(head, head, head, T)

    def at(z_tilde: Tensor) -> float:
        output = rival.output._replace(z=z, z_tilde=z_tilde)
        return value(term, rival._replace(output=output)).item()

    near, far = z + 0.01 * torch.randn_like(z), torch.randn_like(z)
    assert at(z) == pytest.approx(0, abs=1e-4)
    assert at(z) < at(near) < at(far)


def test_redundancy_moves_z_tilde_and_leaves_its_teachers_alone(rival: Any) -> None:
    head, h_z, h_sup = backbone_head(), auxiliary_head(CHANNELS), auxiliary_head(CHANNELS)
    loss = value(SupportRedundancyLoss(head, h_z, h_sup, T), rival)
    assert rival.reached(loss) == {"z_tilde"}
    loss.backward()
    assert h_z.weight.grad is not None
    assert h_z.weight.grad.any()


def test_the_head_of_z_sup_is_fitted_to_the_labels_alone(rival: Any) -> None:
    """Its slope is that of its own divergence from the labels, whatever z~ says."""
    h_z, h_sup = auxiliary_head(CHANNELS), auxiliary_head(CHANNELS)
    loss = value(SupportRedundancyLoss(backbone_head(), h_z, h_sup, T), rival)
    (found,) = torch.autograd.grad(loss, [h_sup.weight])
    fit = label_divergence(rival.target.maps, h_sup(rival.output.z.detach()), rival.target.weights)
    (expected,) = torch.autograd.grad(fit, [h_sup.weight])
    assert torch.allclose(found, expected)


def test_complement_rewards_what_z_tilde_knows_more_than_frame_t(rival: Any) -> None:
    """The released code has the other sign: it lowers what it means to raise."""
    labels = rival.target.maps
    reader = nn.Identity()
    knows = rival.output._replace(
        F=torch.zeros(BATCH, 3, *labels.shape[1:]), z_tilde=labels.clone()
    )
    ignorant = knows._replace(z_tilde=torch.zeros_like(labels))
    less = value(ComplementLoss(reader, reader, T), rival._replace(output=knows))
    none = value(ComplementLoss(reader, reader, T), rival._replace(output=ignorant))
    assert less.item() < none.item() == pytest.approx(0, abs=1e-5)


def test_nobody_labelled_gives_no_nan(unlabelled: Any) -> None:
    F = torch.randn(BATCH, 3, CHANNELS, SIZE, SIZE)
    given = unlabelled._replace(output=unlabelled.output._replace(F=F))
    heads = [auxiliary_head(CHANNELS) for _ in range(3)]
    assert value(SupportRedundancyLoss(*heads, T), given) == 0
