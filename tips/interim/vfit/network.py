"""VFIT, the video frame interpolation transformer (Shi et al., CVPR 2022): four frames -> one."""

from typing import NamedTuple

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn

from tips.interim.vfit.encoder import Encoder, ResBlock3d
from tips.interim.vfit.prediction import SynBlock, named, resized
from tips.interim.vfit.sizes import Size
from tips.interim.vfit.time_conv import TimeConv


class Interpolated(NamedTuple):
    """The interim frame at three sizes; the loss of VFIT's training reads all of them."""

    quarter: Float[Tensor, "B 3 H/4 W/4"]
    half: Float[Tensor, "B 3 H/2 W/2"]
    full: Float[Tensor, "B 3 H W"]


# Paper: cites reference [10] for VFIT, another interpolator of two frames; here: Shi et al., CVPR
# 2022, because that one has the name, takes four frames and fits the parameters of Table VIII.
class VFIT(nn.Module):
    """Predicts the interim frame half-way between the second and the third of four frames.

    Attribute names are those of the published checkpoints. Frames may have any height and width.
    """

    def __init__(self, size: Size) -> None:
        super().__init__()
        first, second, third, last = size.widths
        self.encoder = Encoder(size)
        pairs = ((last, third), (2 * third, second), (2 * second, first))
        self.decoder = nn.Sequential(
            *(
                named("upconv", nn.ConvTranspose3d(a, b, 3, stride=(1, 2, 2), padding=1))
                for a, b in pairs
            )
        )
        self.smooth_ll = _smooth(2 * third, size.features)
        self.smooth_l = _smooth(2 * second, size.features)
        self.smooth = _smooth(2 * first, size.features)
        self.predict_ll = SynBlock(size.features, size.kernel, normalise=True)
        self.predict_l = SynBlock(size.features, size.kernel, normalise=False)
        self.predict = SynBlock(size.features, size.kernel, normalise=False)

    def forward(self, frames: Float[Tensor, "B 4 3 H W"]) -> Interpolated:
        """Predicts the interim frame from RGB in [0, 1]; the prediction is not clamped."""
        images = frames.transpose(1, 2)
        x0, x1, x2, x3, x4 = self.encoder(images - images.mean((2, 3, 4), keepdim=True))
        d3 = self._up(0, x4, x3)
        d2 = self._up(1, d3, x2)
        d1 = self._up(2, d2, x1)
        quarter = self.predict_ll(self.smooth_ll(d3), frames, x2.shape[-2:])
        half = self.predict_l(self.smooth_l(d2), frames, x1.shape[-2:])
        half = half + resized(quarter, half.shape[-2:])
        full = self.predict(self.smooth(d1), frames, x0.shape[-2:])
        return Interpolated(quarter, half, full + resized(half, full.shape[-2:]))

    def _up(self, level: int, coarse: Tensor, skip: Tensor) -> Tensor:
        layer = self.decoder.get_submodule(f"{level}.upconv.0")
        doubled = layer(coarse, output_size=skip.shape)
        return torch.cat([nnf.leaky_relu(doubled, 0.2), skip], dim=1)


def _smooth(width: int, features: int) -> nn.Sequential:
    return nn.Sequential(named("conv", TimeConv(width, features)), ResBlock3d(features))
