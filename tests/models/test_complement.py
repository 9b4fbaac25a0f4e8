from typing import Any

import pytest
import torch
from made_up import WIDTH, Reads, Says, auxiliary

from tips.models.complement import ComplementLoss

T = 1


def test_complement_is_what_z_knows_less_than_the_frame(case: Any) -> None:
    """Equal features through equal heads cancel; better ones go below zero."""
    same = case.inside(z_tilde=case.output.F[:, T])
    assert same.value(ComplementLoss(Reads(case.head), T)).item() == pytest.approx(0, abs=1e-5)
    known = case.value(ComplementLoss(Says(case.target.maps), T))
    assert known.item() < 0
    assert torch.isfinite(case.value(ComplementLoss(auxiliary(WIDTH, T), T)))


def test_complement_rewards_what_z_tilde_knows_more_than_frame_t(case: Any) -> None:
    """The released code has the other sign: it lowers what it means to raise."""
    labels = case.target.maps
    knows = case.having(F=torch.zeros(2, 3, *labels.shape[1:])).inside(z_tilde=labels.clone())
    knows = knows._replace(head=torch.nn.Identity())
    term = ComplementLoss(Reads(torch.nn.Identity()), T)
    none = knows.inside(z_tilde=torch.zeros_like(labels)).value(term)
    assert knows.value(term).item() < none.item() == pytest.approx(0, abs=1e-5)


def test_complement_reaches_z_tilde_and_h_z_only(case: Any) -> None:
    h_z = auxiliary(WIDTH, T)
    case.head.requires_grad_()
    loss = case.value(ComplementLoss(h_z, T))
    assert case.reached(loss) == {"z_tilde"}
    loss.backward()
    assert h_z.correction.weight.grad is not None
    assert h_z.correction.weight.grad.any()
    assert case.head.weight.grad is None


def test_nobody_labelled_gives_no_nan(unlabelled: Any) -> None:
    loss = unlabelled.value(ComplementLoss(auxiliary(WIDTH, T), T))
    assert loss == 0
    assert not unlabelled.reached(loss)
