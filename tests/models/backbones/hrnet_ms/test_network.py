from pathlib import Path

import manifests
import pytest
import torch
from manifests import needs_manifests
from small import ARCH, official, size

from tips.checkpoints import load_published
from tips.models.backbones.hrnet_ms.network import MultiStageHRNet
from tips.models.backbones.timm_hrnet import TimmHRNet


def both(path: Path) -> tuple[TimmHRNet, MultiStageHRNet]:
    """A network and the one with all branches, started from one published file."""
    torch.manual_seed(0)
    one = TimmHRNet("hrnet_w18_small", ARCH, autocast=False)
    every = MultiStageHRNet("hrnet_w18_small", ARCH, autocast=False)
    file = manifests.write(path, official(one))
    for backbone in (one, every):
        load_published(backbone, backbone.published(), "", file)
    return one.eval(), every.eval()


def test_starts_as_hrnet_itself(tmp_path: Path) -> None:
    one, every = both(tmp_path / "w.pth")
    images = torch.randn(2, 3, 64, 96)
    assert every.channels == one.channels
    assert torch.allclose(every(images), one(images), rtol=1e-5)
    assert torch.equal(every.final_layer.weight, one.final_layer.weight)


def test_coarse_branches_count_once_their_weights_move(tmp_path: Path) -> None:
    one, every = both(tmp_path / "w.pth")
    images = torch.randn(1, 3, 64, 64)
    inner = (every.neck.narrow.in_channels - one.channels) // 3
    for branch in range(3):
        with torch.no_grad():
            every.neck.narrow.weight.zero_()
            first = one.channels + branch * inner
            every.neck.narrow.weight[:, first : first + inner] = 1
        assert every(images).std() > 0


@needs_manifests
def test_the_published_names_are_hrnets() -> None:
    with torch.device("meta"):
        every = MultiStageHRNet("hrnet_w48", None, False)
    wanted = {key: one.shape for key, one in every.published().items()}
    assert wanted == manifests.shapes("hrnet_pose_w48_384x288")
    own = set(every.state_dict()) - {one.key for one in every.published().values()}
    fuse = {key for key in own if key.startswith("net.")}
    assert {key.removeprefix("net.") for key in fuse} == set(
        manifests.listed("hrnet_w48_timm_key_diff", "keys_only_in_timm")
    )
    assert all(key.startswith("neck.") for key in own - fuse)


def test_neck_of_the_paper_size() -> None:
    with torch.device("meta"):
        one, every = TimmHRNet("hrnet_w48", None, False), MultiStageHRNet("hrnet_w48", None, False)
    assert size(every) - size(one) == pytest.approx(6.01e6, rel=0.002)
    assert every.neck.narrow.in_channels == 432
