from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from small import changed, size
from torch import Tensor

from tips.build import build_model
from tips.config import load_experiment, load_scale
from tips.models.baselines.posewarper.network import DILATIONS, SHARES, PoseWarper, Warp

EXPERIMENTS = Path(__file__).parents[4] / "experiments"
FILE = EXPERIMENTS / "baselines/posewarper.yaml"
JOINTS = 3


@pytest.fixture
def fresh() -> PoseWarper:
    torch.manual_seed(0)
    model = build_model(load_experiment(FILE, load_scale("smoke", EXPERIMENTS)))
    assert isinstance(model, PoseWarper)
    return model.eval()


def rough_maps(model: PoseWarper, images: Tensor) -> Tensor:
    """Heat maps of the backbone, (B, 5, J, 16, 16)."""
    maps: Tensor = model.backbone.maps(model.look(images, images[:, :0]).F.flatten(0, 1))
    return maps.unflatten(0, images.shape[:2])


def test_released_warp_of_17_joints() -> None:
    with torch.device("meta"):
        warp = Warp(128, 20, DILATIONS, joints=17)
    # Each dilation: 9 * 128 * 17 * 18 of offsets and 9 * 17 * 17 of the kernel.
    assert [size(part) for part in warp.children()] == [5_783_040, 5 * 355_113]
    assert size(warp) == 7_558_605
    # The paper cuts: 63.6 + 7.56 M are printed as 71.1 M, which makes the 7.5 M of the design.
    backbone = 63_595_745  # HRNet-W48 with its head of 17 joints
    assert int((backbone + size(warp)) / 1e5) / 10 == 71.1
    assert int(size(warp) / 1e5) / 10 == 7.5


def test_row_of_15_joints() -> None:
    with torch.device("meta"):
        model = build_model(load_experiment(FILE))
    assert isinstance(model, PoseWarper)
    assert size(model.warp) == size(model) - size(model.backbone) == 7_345_805


def test_a_fresh_warp_moves_nothing() -> None:
    now, other = torch.rand(2, 2, JOINTS, 8, 6)
    warped, guide = Warp(4, 2, (1, 3), JOINTS)(now, other)
    assert torch.allclose(warped, other, atol=1e-6)
    assert guide.shape == (2, 4, 8, 6)


def test_the_offset_features_see_the_difference_alone() -> None:
    torch.manual_seed(0)
    warp = Warp(4, 2, (1,), JOINTS).eval()
    now, other, both = torch.rand(3, 2, JOINTS, 8, 6)
    assert torch.allclose(warp(now, other)[1], warp(now + both, other + both)[1], atol=1e-5)
    assert not torch.allclose(warp(now, other)[1], warp(other, now)[1], atol=1e-5)


def test_a_fresh_answer_is_the_weighted_mean_of_the_window(fresh: PoseWarper) -> None:
    assert sum(SHARES) == pytest.approx(1)
    images = torch.randn(2, 5, 3, 64, 64)
    with torch.inference_mode():
        maps = rough_maps(fresh, images)
        found = fresh(images, images[:, :0]).maps
    expected = 0.3 * maps[:, 2] + 0.25 * (maps[:, 1] + maps[:, 3]) + 0.1 * (maps[:, 0] + maps[:, 4])
    assert torch.allclose(found, expected, atol=1e-6)


def test_a_standing_body_keeps_its_maps(fresh: PoseWarper) -> None:
    images = torch.randn(2, 1, 3, 64, 64).expand(-1, 5, -1, -1, -1)
    with torch.inference_mode():
        found = fresh(images, images[:, :0]).maps
        assert torch.allclose(found, rough_maps(fresh, images)[:, 2], atol=1e-6)


def test_training_draws_one_frame_per_sample_from_the_whole_window(fresh: PoseWarper) -> None:
    images = torch.randn(4, 5, 3, 64, 64)
    seen = []
    with torch.no_grad():
        maps = rough_maps(fresh, images)
        for _ in range(8):
            found = fresh.train()(images, images[:, :0]).maps
            apart = (maps - found[:, None]).abs().amax(dim=(2, 3, 4))
            assert (apart.min(1).values < 1e-6).all()
            seen.append(apart.argmin(1))
    drawn = torch.stack(seen)
    assert set(drawn.flatten().tolist()) == {0, 1, 2, 3, 4}
    assert (drawn[:, :1] != drawn).any()  # samples of a batch draw apart


def test_draws_follow_the_seed(fresh: PoseWarper) -> None:
    images = torch.randn(4, 5, 3, 64, 64)
    fresh.train()
    maps = []
    with torch.no_grad():
        for seed in (1, 1, 2):
            torch.manual_seed(seed)
            maps.append(fresh(images, images[:, :0]).maps)
    assert torch.equal(maps[0], maps[1])
    assert not torch.equal(maps[0], maps[2])


def test_it_learns_to_undo_a_shift() -> None:
    """A hundred steps of Adam reach every part and halve the error."""
    torch.manual_seed(0)
    warp = Warp(8, 1, (1, 2), JOINTS)
    optimizer = torch.optim.Adam(warp.parameters(), lr=1e-2)
    errors = []
    for _ in range(100):
        now = torch.zeros(4, JOINTS, 8, 8)
        now[:, :, torch.randint(2, 5, ()), torch.randint(2, 5, ())] = 1
        warped, _ = warp(now, now.roll((1, 1), (2, 3)))
        error = (warped - now).square().sum()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert sum(errors[-10:]) < sum(errors[:10]) / 2
    assert all(p.grad is not None and p.grad.any() for p in warp.parameters())


def test_another_window_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"window \[-2, -1, 0, 1, 2\] alone; got \[-1, 0"):
        changed(load_experiment(FILE), window=(-1, 0, 1))
