import pytest
import torch
import torch.nn.functional as nnf
from small import shaken

from tips.models.heads import Fusion
from tips.models.layers import ResBlock, group_norm, residual_blocks

WIDTH, CHANNELS, SIZE = 8, 4, 6


def test_residual_block_by_hand() -> None:
    block = shaken(ResBlock(CHANNELS, WIDTH))
    x = torch.randn(2, CHANNELS, SIZE, SIZE)
    first, norm1, _, second, norm2 = block.get_submodule("body").children()
    skip, norm = block.get_submodule("skip").children()
    inner = nnf.relu(norm1(nnf.conv2d(x, first.weight, padding=1)))
    outer = norm2(nnf.conv2d(inner, second.weight, padding=1))
    expected = nnf.relu(outer + norm(nnf.conv2d(x, skip.weight)))
    assert torch.allclose(block(x), expected, atol=1e-5)
    assert len(residual_blocks(CHANNELS, WIDTH, 3)) == 3


@pytest.mark.parametrize(("channels", "groups"), [(128, 32), (144, 16), (32, 8), (16, 4), (3, 1)])
def test_group_norm_has_at_least_four_channels_a_group(channels: int, groups: int) -> None:
    assert group_norm(channels).num_groups == groups


def test_fusion_puts_time_into_channels() -> None:
    fuse = shaken(Fusion(3 * CHANNELS + 2 * WIDTH, WIDTH, 1, 1))
    F, interim = torch.randn(2, 3, CHANNELS, SIZE, SIZE), torch.randn(2, 2, WIDTH, SIZE, SIZE)
    beside = torch.cat([*F.unbind(1), *interim.unbind(1)], 1)
    assert torch.allclose(fuse(F, interim), fuse.blocks(fuse.reduce(beside)), atol=1e-6)
    assert fuse(F.flip(1), interim).sub(fuse(F, interim)).abs().max() > 1e-3  # order is told apart
