import timm
import torch

from tips.models.backbones.hrnet import HRNet

ARCH = {
    "stem_width": 8,
    **{
        f"stage{n}": {
            "num_modules": 1,
            "num_branches": n,
            "block_type": "BOTTLENECK" if n == 1 else "BASIC",
            "num_blocks": [1] * n,
            "num_channels": [8, 16, 32, 64][:n],
            "fuse_method": "SUM",
        }
        for n in (1, 2, 3, 4)
    },
}


def test_features_are_the_unpruned_networks() -> None:
    torch.manual_seed(0)
    ours = HRNet("hrnet_w18_small", ARCH, autocast=False).eval()
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


def test_bfloat16_stays_inside() -> None:
    torch.manual_seed(0)
    plain = HRNet("hrnet_w18_small", ARCH, autocast=False).eval()
    short = HRNet("hrnet_w18_small", ARCH, autocast=True).eval()
    short.load_state_dict(plain.state_dict())
    images = torch.randn(2, 3, 64, 64)
    exact, found = plain(images), short(images)
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    assert 0 < (found - exact).abs().max() < 0.1 * exact.abs().max()
