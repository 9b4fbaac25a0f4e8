import re

import pytest
import timm
import torch
from small import ARCH

from tips.models.backbones.hrnet_ms.network import MultiStageHRNet
from tips.models.backbones.timm_hrnet import TimmHRNet

# Blocks of one branch where there are two.
UNEVEN = {
    **{"num_modules": 1, "num_branches": 2, "block_type": "BASIC"},
    **{"num_blocks": [1], "num_channels": [8, 16], "fuse_method": "SUM"},
}


def test_features_are_the_unpruned_networks() -> None:
    torch.manual_seed(0)
    ours = TimmHRNet("hrnet_w18_small", ARCH, autocast=False).eval()
    whole = timm.create_model(
        "hrnet_w18_small", features_only=True, feature_location="", out_indices=(1,), **ARCH
    ).eval()
    whole.load_state_dict(ours.net.state_dict(), strict=False)
    whole.to(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 64, 96).contiguous(memory_format=torch.channels_last)
    features = ours(images)
    assert features.shape == (2, ours.channels, 16, 24)
    assert torch.equal(features, whole(images)[0])
    assert features.min() >= 0  # C_real's residual blocks start as the identity only then
    assert torch.equal(ours.maps(features), ours.final_layer(features))


@pytest.mark.parametrize(
    ("name", "arch", "says"),
    [
        ("hrnet_w84", None, "backbone.name: timm has no HRNet 'hrnet_w84'; known: hrnet_w18,"),
        (
            "hrnet_w18_small",
            {"stage2": UNEVEN},
            "backbone.name: timm cannot build 'hrnet_w18_small' with backbone.arch {",
        ),
    ],
)
def test_a_mistake_is_not_another_network(
    name: str, arch: dict[str, object] | None, says: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        TimmHRNet(name, arch, autocast=False)


def test_bfloat16_stays_inside() -> None:
    torch.manual_seed(0)
    plain = TimmHRNet("hrnet_w18_small", ARCH, autocast=False).eval()
    short = TimmHRNet("hrnet_w18_small", ARCH, autocast=True).eval()
    short.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 64, 64)
    exact, found = plain(images), short(images)
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    assert 0 < (found - exact).abs().max() < 0.1 * exact.abs().max()


@pytest.mark.parametrize("kind", [TimmHRNet, MultiStageHRNet])
@pytest.mark.parametrize("autocast", [False, True])
def test_stages_come_from_the_same_pass(kind: type[TimmHRNet], autocast: bool) -> None:
    torch.manual_seed(0)
    network = kind("hrnet_w18_small", ARCH, autocast=autocast).eval()
    images = torch.randn(2, 3, 64, 96)
    calls = []
    network.net.conv1.register_forward_hook(lambda *_: calls.append(1))
    found = network.stages(images)
    assert len(calls) == 1
    assert [tuple(stage.shape) for stage in found] == [
        (2, width, 16, 24) for width in network.stage_channels
    ]
    assert network.stage_channels == (32, 8, 8, 8)
    assert torch.equal(found[-1], network(images))
    assert all(stage.dtype == torch.float32 and stage.is_contiguous() for stage in found)
    assert not network.net.layer1._forward_hooks  # nothing is left behind


def test_stages_are_what_the_network_computes_on_its_way() -> None:
    """Against a walk through timm's own modules."""
    torch.manual_seed(0)
    network = TimmHRNet("hrnet_w18_small", ARCH, autocast=False).eval()
    images, net = torch.randn(1, 3, 64, 64), network.net
    first = net.layer1(net.act2(net.bn2(net.conv2(net.act1(net.bn1(net.conv1(images)))))))
    branches = net.stage2([layer(first) for layer in net.transition1])
    expected = [first, branches[0]]
    branches = net.stage3([*branches, net.transition2[2](branches[-1])])
    expected.append(branches[0])
    for found, one in zip(network.stages(images), expected, strict=False):
        assert torch.allclose(found, one, atol=1e-5)
