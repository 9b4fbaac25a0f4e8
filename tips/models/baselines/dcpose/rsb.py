"""Residual steps blocks (RSN, 2020), from which DCPose builds its chains."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

BRANCHES = 4


class ResidualSteps(nn.Module):
    """Four branches with one, two, three and four 3x3 convolutions.

    Each convolution of a branch also adds the result of the same convolution one branch earlier.

    Args:
        channels_in: C, channels of the input; each branch has 26 / 64 of them.
        channels_out: D, channels of the result.
        project: whether the skip connection has a 1x1 convolution.
    """

    def __init__(self, channels_in: int, channels_out: int, *, project: bool) -> None:
        super().__init__()
        narrow = channels_in * 26 // 64
        self.split = _conv_norm(channels_in, BRANCHES * narrow, 1, nn.ReLU(inplace=True))
        self.branches = nn.ModuleList(
            nn.ModuleList(_conv_norm(narrow, narrow, 3, nn.ReLU()) for _ in range(steps))
            for steps in range(1, BRANCHES + 1)
        )
        self.merge = _conv_norm(BRANCHES * narrow, channels_out, 1)
        self.skip = _conv_norm(channels_in, channels_out, 1) if project else nn.Identity()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D H W"]:
        """Maps C to D channels at the same resolution."""
        before: list[Tensor] = []  # results of the branch before, one fewer than this one has
        ends = []
        for y, branch in zip(self.split(x).chunk(BRANCHES, dim=1), self.branches, strict=True):
            *shared, last = branch.children()
            steps: list[Tensor] = []
            for convolve, earlier in zip(shared, before, strict=True):
                y = convolve(y + earlier)
                steps.append(y)
            ends.append(last(y))
            before = [*steps, ends[-1]]
        return torch.relu(self.merge(torch.cat(ends, dim=1)) + self.skip(x))


def residual_steps(channels_in: int, channels_out: int, count: int) -> nn.Sequential:
    """Chains blocks; the first one changes the width and projects its skip, as published.

    Args:
        channels_in: channels of the first block's input.
        channels_out: channels of every block's result.
        count: number of blocks.
    """
    widths = [channels_in] + [channels_out] * count
    return nn.Sequential(
        *(ResidualSteps(a, b, project=i == 0) for i, (a, b) in enumerate(pairwise(widths)))
    )


# Paper: the released convolutions have a bias; here: none, because batch norm follows each and
# cancels it (1,812 of the 1.6 million parameters at 17 joints).
def _conv_norm(channels_in: int, channels_out: int, kernel: int, *then: nn.Module) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels_out),
        *then,
    )
