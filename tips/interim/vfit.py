"""Interim frames by VFIT, the paper's own interpolator, from a checkpoint."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


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
