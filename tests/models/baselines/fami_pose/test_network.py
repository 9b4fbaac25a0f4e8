from pathlib import Path

import pytest
import torch
import torch.nn.functional as nnf
from pydantic import ValidationError
from small import changed, size
from torch import nn

from tips.build import build_model
from tips.config import ConfigError, load_experiment, load_scale
from tips.models.backbones.timm_hrnet import TimmHRNet
from tips.models.baselines.calibration import Calibration
from tips.models.baselines.fami_pose.network import FamiPose, Translation, translate
from tips.models.heads import ScratchStart

EXPERIMENTS = Path(__file__).parents[4] / "experiments"
FILE = EXPERIMENTS / "baselines" / "fami-pose.yaml"


def published(frames: int) -> FamiPose:
    """At the size of the paper, with the family's 17 joints."""
    with torch.device("meta"):
        return FamiPose(
            TimmHRNet("hrnet_w48", None, autocast=False, joints=17),
            ScratchStart(),
            frames // 2,
            frames=frames,
            width=48,
            size=(96, 72),
            joints=17,
        )


def test_head_has_the_published_size() -> None:
    """1.06 M; the released code has 80 more, biases that a batch norm removes again."""
    model = published(5)
    parts = {name: size(part) for name, part in model.named_children() if name != "backbone"}
    assert parts == {
        "start": 0,
        "translation": 35_330,
        "aggregate": 154_848,
        "combine": 67_104,
        "calibrations": 4 * 161_076,
        "head": 150_432 + 7_361,
    }
    assert sum(parts.values()) == 1_059_379
    assert round(sum(parts.values()) / 1e6, 2) == 1.06
    assert size(model) / 1e6 == pytest.approx(64.5, abs=0.2)  # Table VIII


def test_three_frames_narrow_the_aggregation_alone() -> None:
    """By two frames of 48 channels, in its first 3x3 convolution and its skip."""
    assert size(published(5)) - size(published(3)) == 2 * 48 * 48 * (9 + 1)


@pytest.mark.parametrize(
    ("height", "width", "halvings", "flat"),
    [(96, 72, 5, 144), (16, 16, 3, 64), (32, 24, 4, 64), (2, 2, 0, 64)],
)
def test_translation_leaves_two_px_of_each_side(
    height: int, width: int, halvings: int, flat: int
) -> None:
    part = Translation(6, (height, width)).eval()
    assert len(part.layers) == 1 + halvings
    linear = part.sampling_offsets[1]
    assert isinstance(linear, nn.Linear)
    assert linear.in_features == flat
    assert part(torch.randn(3, 6, height, width)).shape == (3, 2)


@pytest.mark.parametrize("shift", [(0, 0), (2, 0), (0, -1), (-3, 2)])
@pytest.mark.parametrize("size", [(6, 9), (8, 8)])
def test_translation_is_in_px_right_and_down(shift: tuple[int, int], size: tuple[int, int]) -> None:
    maps = torch.randn(2, 3, *size)
    height, width = size
    x, y = shift
    # The expected map, by indices: what leaves is lost, what comes from outside is zero.
    expected = torch.zeros_like(maps)
    expected[:, :, max(y, 0) : height + min(y, 0), max(x, 0) : width + min(x, 0)] = maps[
        :, :, max(-y, 0) : height - max(y, 0), max(-x, 0) : width - max(x, 0)
    ]
    found = translate(maps, torch.tensor([shift, shift], dtype=torch.float32))
    assert torch.allclose(found, expected, atol=1e-5)


def test_half_a_px_is_the_mean_of_two() -> None:
    maps = torch.randn(1, 2, 5, 7)
    found = translate(maps, torch.tensor([[0.5, 0.0]]))
    assert torch.allclose(found[..., 1:], (maps[..., 1:] + maps[..., :-1]) / 2, atol=1e-5)


def test_the_translation_can_be_learned() -> None:
    """Gradient descent on the shift alone finds how far a blob moved."""
    rows, columns = torch.arange(16.0)[:, None], torch.arange(12.0)[None, :]
    here, there = (
        torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)[None, None]
        for x, y in ((5.0, 6.0), (6.5, 8.0))
    )
    shift = torch.zeros(1, 2, requires_grad=True)
    optimizer = torch.optim.Adam([shift], lr=0.1)
    for _ in range(100):
        optimizer.zero_grad()
        nnf.mse_loss(translate(here, shift), there).backward()
        optimizer.step()
    assert torch.allclose(shift.detach(), torch.tensor([[1.5, 2.0]]), atol=0.05)


def small() -> FamiPose:
    torch.manual_seed(0)
    model = build_model(load_experiment(FILE, load_scale("smoke", EXPERIMENTS)))
    assert isinstance(model, FamiPose)
    return model.eval()


def test_support_frames_are_aligned_in_order_and_frame_t_is_none_of_them() -> None:
    model = small()
    for parameter in model.translation.sampling_offsets.parameters():
        nn.init.zeros_(parameter)
    F = torch.randn(2, 5, 8, 16, 16)
    expected = F[:, [0, 1, 3, 4]].flatten(1, 2)
    assert torch.allclose(model.aligned(F), expected, atol=1e-5)
    last = model.translation.sampling_offsets[-1]
    assert isinstance(last, nn.Linear)
    last.bias.data.copy_(torch.tensor([1.0, 0.0]))
    moved = model.aligned(F)
    assert torch.allclose(moved[..., 1:], expected[..., :-1], atol=1e-5)


def test_fresh_calibration_is_the_identity() -> None:
    """So a fresh head sees the aggregated support frames as they are."""
    x, guide = torch.randn(2, 2, 8, 7, 6)
    assert torch.allclose(Calibration(8, 3)(x, guide), x, atol=1e-5)


def test_four_channels_move_together() -> None:
    part = Calibration(48, 3)
    assert part.sampling_offsets.out_channels == 12 * (18 + 9)
    with pytest.raises(ValueError, match=r"width must be a multiple of 4.*got 18"):
        Calibration(18, 3)


def test_another_width_than_the_backbones_is_refused() -> None:
    experiment = load_experiment(FILE, load_scale("smoke", EXPERIMENTS))
    with pytest.raises(ConfigError, match="set width to 8, not 16"):
        build_model(changed(experiment, width=16))


def test_a_window_without_neighbours_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"window \[0\] needs two or more"):
        changed(load_experiment(FILE), window=(0,))
