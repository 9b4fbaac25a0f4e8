import torch
from torch import Tensor, nn

from tips.models.baselines.dcpose.rsb import ResidualSteps, residual_steps


def slow(block: ResidualSteps, x: Tensor) -> Tensor:
    """The released block, written out step by step."""
    narrow = block.branches[0][0][0].in_channels
    part = block.split(x).split(narrow, 1)
    a, b, c, d = block.branches
    a1 = a[0](part[0])
    b1 = b[0](part[1] + a1)
    b2 = b[1](b1)
    c1 = c[0](part[2] + b1)
    c2 = c[1](c1 + b2)
    c3 = c[2](c2)
    d1 = d[0](part[3] + c1)
    d2 = d[1](d1 + c2)
    d3 = d[2](d2 + c3)
    d4 = d[3](d3)
    merged: Tensor = block.merge(torch.cat([a1, b2, c3, d4], 1)) + block.skip(x)
    return merged.relu()


def test_block_equals_the_released_steps() -> None:
    torch.manual_seed(0)
    for project, channels_out in ((True, 5), (False, 12)):
        block = ResidualSteps(12, channels_out, project=project).eval()
        x = torch.randn(2, 12, 5, 4)
        found = block(x)
        assert found.shape == (2, channels_out, 5, 4)
        assert torch.allclose(found, slow(block, x), atol=1e-6)


def test_branches_are_26_64ths_wide_and_one_to_four_steps_long() -> None:
    block = ResidualSteps(68, 34, project=True)
    assert [len(branch) for branch in block.branches] == [1, 2, 3, 4]
    assert block.branches[3][3][0].weight.shape == (27, 27, 3, 3)


def test_only_the_first_block_of_a_chain_projects_its_skip() -> None:
    chain = residual_steps(8, 8, 3)
    assert [isinstance(block.skip, nn.Identity) for block in chain] == [False, True, True]
