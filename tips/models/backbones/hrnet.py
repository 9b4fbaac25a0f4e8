"""HRNet through timm, behind the backbone interface."""

from collections.abc import Mapping
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.models.interfaces import Backbone


class HRNet(Backbone):
    """Images -> F, the highest-resolution branch, and the heat maps its own 1x1 head reads there.

    Args:
        name: timm's name of the network.
        arch: overrides of timm's architecture table, for small networks; null keeps it.
        autocast: run in bfloat16.
    """

    stride = 4

    def __init__(self, name: str, arch: Mapping[str, Any] | None, autocast: bool) -> None:
        super().__init__()
        self.net = timm.create_model(
            name, features_only=True, feature_location="", out_indices=(1,), **(arch or {})
        )
        # Only the stride-4 output is used: the rows of the last fuse that feed the other
        # branches would be dead weight.
        last = self.net.stage4[-1]
        last.fuse_layers = nn.ModuleList([last.fuse_layers[0]])
        self.channels: int = self.net.feature_info.channels()[0]
        self.final_layer = nn.Conv2d(self.channels, skeleton.COUNT, 1)
        self.autocast = autocast
        # Channels last takes a quarter off the convolutions' time on a CPU, with or without bf16.
        self.net.to(memory_format=torch.channels_last)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        assert self.final_layer.bias is not None
        nn.init.zeros_(self.final_layer.bias)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C H/4 W/4"]:
        """Computes F. Images are normalised RGB, H and W divisible by 32."""
        with torch.autocast(images.device.type, torch.bfloat16, enabled=self.autocast):
            features: Tensor = self.net(images.contiguous(memory_format=torch.channels_last))[0]
        return features.float().contiguous()

    def maps(self, F: Float[Tensor, "B C h w"]) -> Float[Tensor, "B J h w"]:
        """Computes the backbone's own heat maps from F."""
        maps: Tensor = self.final_layer(F)
        return maps
