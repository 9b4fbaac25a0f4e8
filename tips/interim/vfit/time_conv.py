"""A 3x3x3 convolution as one of two dimensions over three frames at a time."""

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn


class TimeConv(nn.Conv3d):
    """3x3x3, padding 1, with the weights and names of `nn.Conv3d`.

    For a single clip torch's CPU convolution of three dimensions takes twice as long as the same
    sum in two, with the neighbouring frames side by side as channels.

    Args:
        channels_in: C.
        channels_out: D.
        stride: in space; time keeps its length.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels_out, 3, stride=(1, stride, stride), padding=1)

    def forward(self, input: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B D T _h _w"]:
        """Convolves a clip with zeros around it in time and space."""
        batch, _, frames = input.shape[:3]
        padded = nnf.pad(input.transpose(1, 2), (0, 0, 0, 0, 0, 0, 1, 1))
        three = torch.cat([padded[:, k : k + frames] for k in range(3)], dim=2)
        kernel = self.weight.transpose(1, 2).flatten(1, 2)
        out = nnf.conv2d(three.flatten(0, 1), kernel, self.bias, self.stride[1:], padding=1)
        return out.unflatten(0, (batch, frames)).transpose(1, 2)
