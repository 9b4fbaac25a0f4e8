"""VFIT's prediction at one scale: a mean of four warped frames, weighted at every pixel."""

from collections import OrderedDict
from collections.abc import Sequence

import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn

from tips.interim.vfit.attention import FRAMES
from tips.ops.adacof import adacof


class Subnet(nn.ModuleList):
    """Two convolutions, one that doubles the size, one more, and a last operation.

    Args:
        width: C, channels of the features.
        inner: channels after the second convolution.
        outputs: O, channels of the result.
        last: the last operation.
    """

    def __init__(self, width: int, inner: int, outputs: int, last: nn.Module) -> None:
        super().__init__(
            [
                nn.Conv2d(width, width, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, inner, 3, padding=1),
                nn.LeakyReLU(0.2),
                nn.ConvTranspose2d(inner, inner, 3, stride=2, padding=1),
                nn.Conv2d(inner, outputs, 3, padding=1),
                last,
            ]
        )

    def forward(self, x: Float[Tensor, "B C h w"], size: Sequence[int]) -> Float[Tensor, "B O H W"]:
        """Maps features to a map of exactly `size` (H, W), about twice their own."""
        first, act, second, act_again, double, third, last = self
        x = act_again(second(act(first(x))))
        out: Tensor = last(third(double(x, output_size=list(size))))
        return out


class SynBlock(nn.Module):
    """Features of four frames -> the interim frame, at twice the features' size.

    Args:
        width: C, channels of the features.
        kernel: number of AdaCoF's taps along each axis.
        normalise: whether the weights of a pixel's taps sum to 1, as at the coarsest scale.
    """

    def __init__(self, width: int, kernel: int, normalise: bool) -> None:
        super().__init__()
        self.margin = kernel // 2
        taps = kernel**2
        last = nn.Softmax(1) if normalise else nn.Identity()
        self.ModuleWeight = Subnet(width, taps, taps, last)
        self.ModuleAlpha = Subnet(width, taps, taps, nn.Identity())
        self.ModuleBeta = Subnet(width, taps, taps, nn.Identity())
        self.moduleOcclusion = Subnet(width, width, FRAMES, nn.Softmax(1))
        self.feature_fuse = named("conv", nn.Conv2d(FRAMES * width, width, 1))

    def forward(
        self,
        features: Float[Tensor, "B C T h w"],
        frames: Float[Tensor, "B T 3 Hf Wf"],
        size: Sequence[int],
    ) -> Float[Tensor, "B 3 H W"]:
        """Resizes the frames, warps each by AdaCoF, and averages them by their visibility.

        Args:
            features: decoded features of the four frames.
            frames: the four frames themselves, RGB in [0, 1], at full size.
            size: height and width of the prediction, image px.
        """
        fused = nnf.leaky_relu(self.feature_fuse(features.flatten(1, 2)), 0.2)
        shares = self.moduleOcclusion(fused, size)
        each = features.transpose(1, 2).flatten(0, 1)
        moves = [net(each, size) for net in (self.ModuleWeight, self.ModuleAlpha, self.ModuleBeta)]
        images = resized(frames.flatten(0, 1), size)
        padded = nnf.pad(images, [self.margin] * 4, mode="replicate")
        # The sampling positions are too fine for bfloat16, in which the layers above may run.
        weights, alphas, betas = (one.float() for one in moves)
        warped = adacof(padded, weights, alphas, betas).unflatten(0, frames.shape[:2])
        return (shares.float()[:, :, None] * warped).sum(1)


def resized(images: Float[Tensor, "B C h w"], size: Sequence[int]) -> Float[Tensor, "B C H W"]:
    """Resizes images bilinearly to `size` (H, W)."""
    return nnf.interpolate(images, size=list(size), mode="bilinear", align_corners=False)


def named(name: str, layer: nn.Module) -> nn.Sequential:
    """Wraps a layer so that its name is `name`.0, as in the published checkpoints."""
    inner: OrderedDict[str, nn.Module] = OrderedDict({name: nn.Sequential(layer)})
    return nn.Sequential(inner)
