"""A 3x3x3 convolution, computed as a two-dimensional one over three frames at a time."""

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn


class TimeConv(nn.Conv3d):
    """A 3x3x3 convolution with padding 1, and with the weights and names of `nn.Conv3d`.

    On a CPU, torch's three-dimensional convolution of a single clip takes twice as long as this
    two-dimensional one, whose channels are those of three neighbouring frames side by side.

    Args:
        channels_in: C, channels of the input.
        channels_out: D, channels of the result.
        stride: stride in space; in time it is 1.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels_out, 3, stride=(1, stride, stride), padding=1)

    def forward(self, input: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B D T _h _w"]:
        """Convolves a clip; outside it, in time and in space, values are zero."""
        batch, _, frames = input.shape[:3]
        padded = nnf.pad(input.transpose(1, 2), (0, 0, 0, 0, 0, 0, 1, 1))
        three = torch.cat([padded[:, k : k + frames] for k in range(3)], dim=2)
        kernel = self.weight.transpose(1, 2).flatten(1, 2)
        out = nnf.conv2d(three.flatten(0, 1), kernel, self.bias, self.stride[1:], padding=1)
        return out.unflatten(0, (batch, frames)).transpose(1, 2)
