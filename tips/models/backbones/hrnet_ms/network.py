"""HRNet with all four branches of its last stage in F (ours-MS of Tables VIII-X)."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as nnf
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.checkpoints import Published
from tips.config import Crop
from tips.models.backbones.hrnet_ms.settings import Settings
from tips.models.backbones.timm_hrnet import TimmHRNet
from tips.models.backbones.timm_settings import given
from tips.models.layers import ResBlock


class Neck(nn.Module):
    """Four branches -> one map of the finest one's size and width.

    Fresh weights give the finest branch unchanged, so that HRNet's own published head can read
    the result before any training.

    Args:
        widths: channels of the branches, from the finest to the coarsest.
        inner: channels that every coarse branch is reduced or widened to.
    """

    def __init__(self, widths: Sequence[int], inner: int) -> None:
        super().__init__()
        self.coarse = nn.ModuleList(
            nn.Sequential(
                ResBlock(width, width),
                nn.Conv2d(width, inner, 3, padding=1, bias=False),
                nn.BatchNorm2d(inner),
                nn.ReLU(inplace=True),
            )
            for width in widths[1:]
        )
        self.narrow = nn.Conv2d(widths[0] + inner * len(self.coarse), widths[0], 1)
        nn.init.dirac_(self.narrow.weight)
        assert self.narrow.bias is not None
        nn.init.zeros_(self.narrow.bias)

    def forward(self, branches: Sequence[Float[Tensor, "B _c _h _w"]]) -> Float[Tensor, "B C H W"]:
        """Upsamples the coarse branches to the finest one and mixes all of them."""
        fine, *others = branches
        raised = [
            nnf.interpolate(layer(one), size=fine.shape[-2:], mode="bilinear", align_corners=False)
            for layer, one in zip(self.coarse, others, strict=True)
        ]
        mixed: Tensor = self.narrow(torch.cat([fine, *raised], dim=1))
        return mixed


# Paper: "multi-stage features of HRNet"; here: the four branches of its last stage, because the
# fine outputs of stages 2-4 would add less than 0.1 M parameters and the paper adds 6.2 M.
class MultiStageHRNet(TimmHRNet):
    """Images -> F, computed from all four branches of the last stage.

    No published file holds the neck, nor the rows of the last fuse layer that feed the coarse
    branches. They start fresh, and stage one trains them.

    Args:
        name: timm's name of the network.
        arch: overrides of timm's architecture table, for small networks; null keeps it.
        autocast: whether it runs in bfloat16.
        joints: J, the number of heat maps.

    Raises:
        ValueError: as `TimmHRNet`.
    """

    outputs = 4

    def __init__(
        self,
        name: str,
        arch: Mapping[str, Any] | None,
        autocast: bool,
        joints: int = skeleton.COUNT,
    ) -> None:
        super().__init__(name, arch, autocast, joints)
        widths = self.net.feature_info.channels()
        self.neck = Neck(widths, inner=widths[0] * 8 // 3)  # 128 beside HRNet-W48's 48

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C H/4 W/4"]:
        """Computes F from normalised RGB images whose height and width are divisible by 32."""
        with self.precision(images):
            branches = self.net(images.contiguous(memory_format=torch.channels_last))
            features: Tensor = self.neck(branches)
        return features.float().contiguous()

    def published(self) -> Mapping[str, Published]:
        """Says where HRNet's own tensors belong; the neck and the other fuse rows have none."""
        last = len(self.net.stage4) - 1
        own = tuple(f"stage4.{last}.fuse_layers.{row}." for row in range(1, self.outputs))
        found = super().published()
        return {name: one for name, one in found.items() if not name.startswith(own)}


def build(e: Settings, crop: Crop, autocast: bool, joints: int) -> MultiStageHRNet:
    """Builds the network.

    Args:
        e: the backbone's settings.
        crop: size of the images; not read, because HRNet takes any size.
        autocast: whether it runs in bfloat16.
        joints: J, the number of heat maps that its own head gives.
    """
    return MultiStageHRNet(e.name, given(e.arch), autocast, joints)
