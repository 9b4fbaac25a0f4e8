"""Interim frames by VFIT, the paper's own interpolator, from a checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tips.checkpoints import load_published, own_names
from tips.config import ConfigError
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.settings import Settings
from tips.interim.vfit.sizes import SIZES


class VfitGenerator:
    """Feeds four full frames in [0, 1] to a network and clamps what it predicts.

    Args:
        network: (1, 4, 3, H, W) -> something with a frame (1, 3, H, W) as `full`.
        device: where it runs.
    """

    def __init__(self, network: Callable[[Tensor], Any], device: torch.device) -> None:
        self._network = network
        self._device = device

    def __call__(
        self,
        before: NDArray[np.uint8],
        left: NDArray[np.uint8],
        right: NDArray[np.uint8],
        after: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Interpolates between `left` and `right` (H, W, 3) of any size, from all four."""
        stacked = torch.from_numpy(np.stack([before, left, right, after])).to(self._device)
        with torch.inference_mode():
            made = self._network(stacked.permute(0, 3, 1, 2).float().div(255)[None]).full
        pixels = made[0].clamp(0, 1).mul(255).round().byte()
        return np.asarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())


def build(settings: Settings | None, device: torch.device) -> VfitGenerator:
    """Builds the generator from a checkpoint. Raises ConfigError where none is named."""
    if settings is None or settings.weights is None:
        raise ConfigError(
            "interim 'vfit' needs a checkpoint; name it as vfit.weights in the scale's YAML, "
            "or use 'flow'"
        )
    network = VFIT(SIZES[settings.size])
    load_published(network, own_names(network), (), Path(settings.weights))
    return VfitGenerator(network.to(device).eval(), device)
