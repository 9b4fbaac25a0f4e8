import math

import numpy as np
import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor

from tips.ops.divergence import (
    LABEL_TEMPERATURE,
    divergence,
    feature_divergence,
    label_divergence,
    label_temperature,
    released_divergence,
)
from tips.ops.heatmap import encode


def peak(x: float, y: float = 48.0, height: float = 1.0) -> Tensor:
    """A target of sigma 3 on a 96 x 72 map, not rounded to a cell."""
    rows = torch.arange(96, dtype=torch.float32)[:, None]
    columns = torch.arange(72, dtype=torch.float32)[None, :]
    return height * torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 18)[None, None]


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (0.1, {0.5: 0.10, 1: 0.41, 2: 1.51, 4: 4.60, 8: 8.07}),
        (0.05, {0.5: 0.25, 1: 0.97, 2: 3.60, 4: 10.8, 8: 18.3}),
        (1.0, {0.5: 0.0, 1: 0.0002, 2: 0.0007, 4: 0.0023, 8: 0.0050}),
    ],
)
def test_divergence_of_displaced_maps(temperature: float, expected: dict[float, float]) -> None:
    """The table of the design page losses.md, nats."""
    digits = 4 if temperature == 1 else 2
    for shift, nats in expected.items():
        found = divergence(peak(36), peak(36 + shift), temperature).item()
        assert found == pytest.approx(nats, abs=0.6 * 10**-digits, rel=5e-3)


@pytest.mark.parametrize("size", [(96, 72), (64, 48), (32, 32), (24, 16), (16, 16), (8, 8)])
def test_a_label_has_two_nats_on_every_map(size: tuple[int, int]) -> None:
    """On the paper's map one px of error, 0.97 nats, is half of what there is to know."""
    height, width = size
    weights = np.ones(1, np.float32)
    middle = np.array([[width // 2, height // 2]], np.float32)
    label = torch.from_numpy(encode(middle, weights, height, width)).double()
    p = torch.softmax(label.flatten() / label_temperature(height, width), 0)
    assert -(p * p.log()).sum().item() == pytest.approx(2.15, abs=0.05)


def test_the_papers_map_has_the_temperature_of_its_ancestor() -> None:
    assert label_temperature(96, 72) == LABEL_TEMPERATURE


def test_equal_maps_have_none_and_others_some() -> None:
    maps = torch.randn(2, 3, 8, 8)
    assert divergence(maps, maps, 0.05).abs().max() < 1e-5
    assert torch.allclose(divergence(maps, maps + 7, 0.5), torch.zeros(2, 3), atol=1e-5)
    assert (divergence(maps, torch.randn(2, 3, 8, 8), 0.5) > 0).all()


def test_it_is_the_library_divergence() -> None:
    teacher, student = torch.randn(2, 2, 3, 5, 4).unbind()
    expected = nnf.kl_div(
        (student.flatten(2) / 0.3).log_softmax(-1),
        (teacher.flatten(2) / 0.3).softmax(-1),
        reduction="none",
    ).sum(-1)
    assert torch.allclose(divergence(teacher, student, 0.3), expected, atol=1e-5)


def test_only_the_student_is_moved() -> None:
    teacher, student = (torch.randn(2, 3, 8, 8, requires_grad=True) for _ in range(2))
    for value in (divergence(teacher, student, 0.05).sum(), feature_divergence(teacher, student)):
        found = torch.autograd.grad(value, [teacher, student], allow_unused=True)
        assert found[0] is None
        assert found[1].any()


def test_huge_logits_stay_finite() -> None:
    teacher, student = 1e4 * torch.randn(2, 1, 2, 8, 8)
    student.requires_grad_()
    value = divergence(teacher, student, 0.05).sum()
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(student.grad).all()


def test_labels_count_by_weight() -> None:
    teacher, student = torch.randn(2, 1, 3, 8, 8)
    each = divergence(teacher, student, label_temperature(8, 8))[0]
    found = label_divergence(teacher, student, torch.tensor([[1.0, 0.0, 1.0]]))
    assert found.item() == pytest.approx((each[0] + each[2]).item() / 2, rel=1e-5)
    assert label_divergence(teacher, student, torch.zeros(1, 3)) == 0


def test_feature_divergence_ignores_scale_and_offset() -> None:
    teacher, student = torch.randn(2, 2, 3, 8, 8)
    value = feature_divergence(teacher, student)
    assert feature_divergence(3 * teacher + 5, 0.5 * student - 1).item() == pytest.approx(
        value.item(), rel=1e-3
    )
    flat = torch.zeros(2, 3, 8, 8, requires_grad=True)
    constant = feature_divergence(teacher, flat)
    constant.backward()
    assert math.isfinite(constant.item())
    assert torch.isfinite(flat.grad).all()


def test_released_call_is_what_it_is() -> None:
    """FAMI-Pose's kl_div gets probabilities: its value is mean(t log t - t p)."""
    reference, moving = 0.1 * torch.randn(2, 2, 3, 8, 8)
    p, t = (torch.softmax(maps.flatten(2) / LABEL_TEMPERATURE, -1) for maps in (reference, moving))
    value = released_divergence(reference, moving).item()
    assert value == pytest.approx((t * t.log() - t * p).mean().item(), rel=1e-5)
    assert value == pytest.approx(nnf.kl_div(p, t, reduction="none").mean().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("found", "value"), [(peak(36), -3.35e-4), (peak(40), -3.107e-4), (0 * peak(36), -3.107e-4)]
)
def test_released_call_cannot_tell_four_px_from_nothing(found: Tensor, value: float) -> None:
    assert released_divergence(found, peak(36)).item() == pytest.approx(value, rel=5e-3)


def test_released_call_moves_its_second_argument_only() -> None:
    maps = torch.randn(2, 1, 3, 8, 8, requires_grad=True)
    (slope,) = torch.autograd.grad(released_divergence(maps[0], maps[1]), [maps])
    assert not slope[0].any()
    assert slope[1].any()
