from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from small import changed, size
from torch import Tensor, nn

from tips import skeleton
from tips.build import build_model
from tips.config import load_experiment, load_scale
from tips.models.baselines.dcpose.network import DILATIONS, DCPose, DCPoseHead, differences

EXPERIMENTS = Path(__file__).parents[4] / "experiments"
FILE = EXPERIMENTS / "baselines/dcpose.yaml"
JOINTS = 3


def frames() -> tuple[Tensor, Tensor, Tensor]:
    before, now, after = torch.rand(3, 2, JOINTS, 6, 5, generator=torch.Generator().manual_seed(0))
    return before, now, after


def test_released_head_of_17_joints() -> None:
    with torch.device("meta"):
        head = DCPoseHead(64, 2, DILATIONS, joints=17)
    # 99,008 + 42,935 + 124,288 in the three chains. Each dilation: 9 * 64 * 17 * 27 of offsets and
    # masks, 9 * 17 * 17 of the kernel.
    assert [size(part) for part in head.children()] == [99_008, 42_935, 124_288, 5 * 266_985]
    biases = 1_812  # of the release's convolutions ahead of batch norm, left out here
    assert size(head) + biases == 1_602_968
    assert f"{size(head) / 1e6:.2f}" == f"{(size(head) + biases) / 1e6:.2f}" == "1.60"


def test_row_of_15_joints() -> None:
    with torch.device("meta"):
        model = build_model(load_experiment(FILE))
    assert isinstance(model, DCPose)
    assert size(model.head) == size(model) - size(model.backbone) == 1_406_208


@pytest.mark.parametrize("corrects", [True, False])
def test_a_fresh_head_gives_back_its_start_or_nothing(corrects: bool) -> None:
    head = DCPoseHead(4, 1, (1, 3), JOINTS, corrects=corrects)
    before, now, after = frames()
    found, guide = head(before, now, after, now)
    assert torch.allclose(found, now if corrects else torch.zeros(()), atol=1e-6)
    assert guide.shape == (2, 4, 6, 5)
    published = size(DCPoseHead(4, 1, (1, 3), JOINTS))
    assert size(head) == published + (JOINTS if corrects else 0)


def test_differences_are_four_channels_per_joint() -> None:
    before, now, after = frames()
    found = differences(before, now, after).view(2, JOINTS, 4, 6, 5)
    assert torch.equal(found[:, 1, 0], now[:, 1] - before[:, 1])
    assert torch.equal(found[:, 1, 1], (now[:, 1] - before[:, 1]) / 2)
    assert torch.equal(found[:, 2, 2], now[:, 2] - after[:, 2])
    assert torch.equal(found[:, 2, 3], (now[:, 2] - after[:, 2]) / 2)


def test_equal_frames_differ_in_nothing() -> None:
    now = frames()[1]
    assert not differences(now, now, now).any()


def test_with_open_masks_a_fresh_head_passes_its_support_maps_on() -> None:
    """Identity kernels, no offsets, mask 1: the mean of the dilations is what goes in."""
    torch.manual_seed(0)
    head = DCPoseHead(4, 1, (1, 2, 3), JOINTS).eval()
    guide: list[Tensor] = []
    head.combine = nn.Sequential(Ones(4))
    head.merger.register_forward_hook(lambda _, __, out: guide.append(out))
    for layer in head.correction:
        with torch.no_grad():
            layer.mask.weight[:, 0, 1, 1] = 1
    found, _ = head(*frames(), torch.zeros(()).expand_as(frames()[0]))
    assert found.abs().max() > 0.1
    assert torch.allclose(found, guide[0], atol=1e-6)


class Ones(nn.Module):
    """A steering map of ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        """Ignores what it is given."""
        return torch.ones(len(x), self.channels, *x.shape[2:])


def test_neighbours_help_where_the_middle_frame_is_empty() -> None:
    """Fifty steps of Adam reach every part and halve the error."""
    torch.manual_seed(0)
    head = DCPoseHead(8, 1, (1, 2), JOINTS)
    before, wanted, after = torch.rand(3, 4, JOINTS, 6, 5)
    empty = torch.zeros_like(wanted)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    errors = []
    for _ in range(50):
        found, _ = head(wanted + before, empty, wanted + after, empty)
        error = (found - wanted).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < errors[0] / 2
    assert all(p.grad is not None and p.grad.any() for p in head.parameters())


def test_each_frame_of_the_window_has_its_own_part() -> None:
    experiment = load_experiment(FILE, load_scale("smoke", EXPERIMENTS))
    torch.manual_seed(0)
    model = build_model(experiment).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
        images = torch.randn(1, 3, 3, 64, 64)
        rough = images[:, :0]
        base = model(images, rough).maps
        for other in ([2, 1, 0], [1, 1, 2], [0, 1, 1]):
            assert not torch.allclose(model(images[:, other], rough).maps, base, atol=1e-5)


def test_another_window_is_refused() -> None:
    with pytest.raises(
        ValidationError, match=r"window \[-1, 0, 1\] alone; got \[-2, -1, 0, 1, 2\]"
    ):
        changed(load_experiment(FILE), window=(-2, -1, 0, 1, 2))


def test_default_joints_are_the_skeletons() -> None:
    head = DCPoseHead(4, 1, (1,))
    assert head.correction[0].conv.weight.shape[0] == skeleton.COUNT
