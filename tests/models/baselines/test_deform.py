import pytest
import torch
from torchvision.ops import deform_conv2d

from tips.models.baselines.deform import DeformConv, ModulatedDeformConv, scaled

CHANNELS, GUIDE, SIZE = 4, 3, (7, 6)


def maps(channels: int) -> torch.Tensor:
    return torch.randn(2, channels, *SIZE)


@pytest.mark.parametrize("groups", [1, 2, CHANNELS])
@pytest.mark.parametrize("dilation", [1, 3, 12])
def test_fresh_layers_give_the_map_itself_and_zero(groups: int, dilation: int) -> None:
    x, guide = maps(CHANNELS), maps(GUIDE)
    plain = DeformConv(GUIDE, CHANNELS, groups, dilation)
    assert torch.allclose(plain(x, guide), x, atol=1e-6)
    assert not ModulatedDeformConv(GUIDE, CHANNELS, groups, dilation)(x, guide).any()
    half = ModulatedDeformConv(GUIDE, CHANNELS, groups, dilation, opened=0.5)
    assert torch.allclose(half(x, guide), x / 2, atol=1e-6)


def test_an_offset_of_one_pixel_shifts_the_map() -> None:
    layer = DeformConv(1, CHANNELS, CHANNELS, 2)
    with torch.no_grad():  # (dy, dx) of each tap: the row below for all joints but the first
        layer.offset.weight[18::2, 0, 1, 1] = 1
    x = maps(CHANNELS)
    found = layer(x, torch.ones(2, 1, *SIZE))
    assert torch.allclose(found[:, 0], x[:, 0], atol=1e-6)
    assert torch.allclose(found[:, 1:, :-1], x[:, 1:, 1:], atol=1e-6)
    assert torch.allclose(found[:, :, -1, :][:, 1:], torch.zeros(()), atol=1e-6)


def test_modulated_layer_equals_torchvision_with_an_unsquashed_mask() -> None:
    layer = ModulatedDeformConv(GUIDE, CHANNELS, CHANNELS, 3)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += torch.randn_like(parameter)
    x, guide = maps(CHANNELS), maps(GUIDE)
    offset, mask = layer.offset(guide), layer.mask(guide)
    assert mask.min() < 0 < 1 < mask.max()
    expected = deform_conv2d(x, offset, layer.conv.weight, padding=3, dilation=3, mask=mask)
    assert torch.allclose(layer(x, guide), expected, atol=1e-3, rtol=1e-4)


def test_a_fresh_modulated_layer_learns_its_mask_first_then_everything() -> None:
    torch.manual_seed(0)
    layer = ModulatedDeformConv(GUIDE, CHANNELS, 2, 1)
    x, guide = maps(CHANNELS), maps(GUIDE)
    (layer(x, guide) - x).square().mean().backward()
    reached = {name for name, p in layer.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {"mask.weight"}
    with torch.no_grad():
        layer.mask.weight -= layer.mask.weight.grad
    (layer(x, guide) - x).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in layer.parameters())


def test_dilations_keep_their_share_of_the_map() -> None:
    assert scaled((3, 6, 12, 18, 24), 96) == (3, 6, 12, 18, 24)
    assert scaled((3, 6, 12, 18, 24), 32) == (1, 2, 4, 6, 8)
    assert scaled((3, 6, 9, 12, 15), 16) == (1, 2, 3)  # 0.5, 1, 1.5, 2, 2.5
    assert scaled((3,), 4) == (1,)
