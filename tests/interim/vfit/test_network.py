from functools import cache

import manifests
import pytest
import torch
from manifests import needs_manifests
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tips.checkpoints import fitting
from tips.interim.vfit.attention import SepSTSBlock, WindowAttention, joined, partition
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.sizes import SIZES
from tips.interim.vfit.time_conv import TimeConv

PARAMETERS = {"base": 29_082_065, "small": 7_537_489}


@cache
def tiny() -> VFIT:
    torch.manual_seed(0)
    return VFIT(SIZES["tiny"]).eval()


@pytest.mark.parametrize("size", PARAMETERS)
def test_parameters(size: str) -> None:
    with torch.device("meta"):
        network = VFIT(SIZES[size])
    assert sum(p.numel() for p in network.parameters()) == PARAMETERS[size]


@needs_manifests
@pytest.mark.parametrize(("size", "manifest"), [("base", "vfit_b"), ("small", "vfit_s")])
def test_names_and_shapes_are_the_published_ones(size: str, manifest: str) -> None:
    with torch.device("meta"):
        network = VFIT(SIZES[size])
    published = manifests.shapes(manifest)
    assert all(name.startswith("module.") for name in published)
    plain = {name.removeprefix("module."): shape for name, shape in published.items()}
    own = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    assert own == plain
    assert len(own) == 380
    fitting(network.state_dict(), plain, manifests.MANIFESTS)


@pytest.mark.parametrize("size", [(64, 48), (35, 50), (17, 16)])
def test_any_size_and_three_scales(size: tuple[int, int]) -> None:
    frames = torch.rand(2, 4, 3, *size)
    with torch.inference_mode():
        made = tiny()(frames)
    assert made.full.shape == (2, 3, *size)
    assert made.half.shape == (2, 3, -(-size[0] // 2), -(-size[1] // 2))
    assert made.quarter.shape == (2, 3, -(-size[0] // 4), -(-size[1] // 4))


def test_brightness_passes_to_the_warps_alone() -> None:
    """Features see frames less their mean; the coarsest prediction is a mean of moved pixels."""
    frames = 0.5 * torch.rand(1, 4, 3, 32, 32)
    with torch.inference_mode():
        dark, bright = tiny()(frames), tiny()(frames + 0.25)
    assert torch.allclose(bright.quarter, dark.quarter + 0.25, atol=1e-5)


def test_samples_do_not_meet_and_order_matters() -> None:
    frames = torch.rand(2, 4, 3, 32, 48)
    with torch.inference_mode():
        both, one = tiny()(frames).full, tiny()(frames[1:]).full
        turned = tiny()(frames.flip(1)).full
    assert torch.allclose(both[1:], one, atol=1e-5)
    assert (turned - both).abs().max() > 1e-3


def test_every_parameter_is_trained() -> None:
    network = VFIT(SIZES["tiny"])
    made = network(torch.rand(1, 4, 3, 64, 64))
    torch.stack([image.square().mean() for image in made]).sum().backward()
    missed = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not missed


def test_nothing_is_left_on_the_cpu() -> None:
    with FakeTensorMode():
        with torch.device("cuda"):
            network, frames = VFIT(SIZES["tiny"]), torch.empty(1, 4, 3, 50, 66)
        assert {image.device.type for image in network(frames)} == {"cuda"}


def test_windows_are_cut_and_joined() -> None:
    maps = torch.arange(2 * 6 * 8 * 3).view(2, 6, 8, 3).float()
    cut = partition(maps, (3, 4))
    assert cut.shape == (2 * 4, 12, 3)
    assert torch.equal(cut[1].view(3, 4, 3), maps[0, :3, 4:])
    assert torch.equal(joined(cut, (6, 8), (3, 4)), maps)


def dense(attention: WindowAttention, x: Tensor, shift: tuple[int, int]) -> Tensor:
    """Window attention as full attention over one map, with everything out of reach masked.

    Two pixels meet if they lie in one window of the map rolled by `shift` and on the same side
    of its seam.
    """
    height, width, channels = x.shape
    y, x_ = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    y, x_ = y.flatten(), x_.flatten()
    groups = []
    for place, side, step in ((y, height, shift[0]), (x_, width, shift[1])):
        rolled = (place - step) % side
        groups.append(100 * (rolled // 8) + (place < step))
    key = 10000 * groups[0] + groups[1]
    tokens = x.reshape(-1, channels)
    qkv = attention.qkv(tokens).view(len(tokens), 3, attention.heads, -1)
    q, k, v = qkv.permute(1, 2, 0, 3)
    # Tokens of a window are at most 7 apart along both axes.
    apart = [(p[:, None] - p).clamp(-7, 7) + 7 for p in (y, x_)]
    bias = attention.relative_position_bias_table[15 * apart[0] + apart[1]].permute(2, 0, 1)
    scores = q @ k.mT / q.shape[-1] ** 0.5 + bias
    scores = scores.masked_fill(key[:, None] != key, -torch.inf)
    mixed = (scores.softmax(-1) @ v).transpose(0, 1).flatten(1)
    out: Tensor = attention.proj(mixed).view(height, width, channels)
    return out


@pytest.mark.parametrize("shift", [0, 4])
@pytest.mark.parametrize("size", [(16, 24), (13, 17), (8, 16)])
def test_spatial_attention_is_dense_attention_inside_windows(
    shift: int, size: tuple[int, int]
) -> None:
    torch.manual_seed(1)
    block = SepSTSBlock(6, 2, shift)
    torch.nn.init.normal_(block.depth_attn.relative_position_bias_table)
    x = torch.randn(1, 4, *size, 6)
    padded = torch.zeros(4, -(-size[0] // 8) * 8, -(-size[1] // 8) * 8, 6)
    padded[:, : size[0], : size[1]] = x[0]
    moved = tuple(shift * (side > 8) for side in size)
    with torch.no_grad():
        found = block._space(x)
        for frame in range(4):
            expected = dense(block.depth_attn, padded[frame], moved)
            assert torch.allclose(found[0, frame], expected[: size[0], : size[1]], atol=1e-5)


def test_temporal_attention_mixes_frames_of_one_pixel() -> None:
    torch.manual_seed(1)
    block = SepSTSBlock(6, 2, 0)
    torch.nn.init.normal_(block.point_attn.relative_position_bias_table)
    x = torch.randn(1, 4, 3, 5, 6)
    with torch.no_grad():
        found = block._time(x)
        pixel = x[0, :, 1, 2]
        q, k, v = block.point_attn.qkv(pixel).view(4, 3, 2, 3).permute(1, 2, 0, 3)
        later = torch.arange(4)[:, None] - torch.arange(4) + 3
        bias = block.point_attn.relative_position_bias_table[later].permute(2, 0, 1)
        mixed = ((q @ k.mT / 3**0.5 + bias).softmax(-1) @ v).transpose(0, 1).flatten(1)
        expected = block.point_attn.proj(mixed)
    assert torch.allclose(found[0, :, 1, 2], expected, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("batch", [1, 3])
def test_convolution_over_time_is_the_one_of_three_dimensions(stride: int, batch: int) -> None:
    torch.manual_seed(0)
    layer = TimeConv(3, 5, stride).double()
    clip = torch.randn(batch, 3, 4, 9, 12, dtype=torch.float64)
    assert torch.allclose(layer(clip), nn.Conv3d.forward(layer, clip), rtol=1e-12, atol=1e-12)
