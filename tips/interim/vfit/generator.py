"""Interim frames by VFIT, the paper's own interim generator, from a checkpoint."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tips.checkpoints import load_published, own_names
from tips.config import ConfigError
from tips.device import cpu_has_bfloat16
from tips.interim.vfit.network import VFIT
from tips.interim.vfit.settings import Settings
from tips.interim.vfit.sizes import SIZES


class VfitGenerator:
    """Feeds four full frames to a network and clamps what it predicts to [0, 1].

    Args:
        network: frames (1, 4, 3, H, W) in [0, 1] -> a record whose `full` is (1, 3, H, W).
        device: where the network runs.
        half: whether its layers run in bfloat16.
    """

    # On 147 validation windows of desk, bfloat16 takes three quarters of the CPU time, at 30.66
    # instead of 30.67 dB on the crops. Made crop by crop instead, they have 29.73 dB.
    def __init__(
        self, network: Callable[[Tensor], Any], device: torch.device, *, half: bool = False
    ) -> None:
        self._network = network
        self._device = device
        self._half = half

    def __call__(
        self,
        before: NDArray[np.uint8],
        left: NDArray[np.uint8],
        right: NDArray[np.uint8],
        after: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Makes the interim frame from all four frames, of any size.

        Args:
            before: I_{w-1} (H, W, 3) RGB.
            left: I_w.
            right: I_{w+1}.
            after: I_{w+2}.
        """
        stacked = torch.from_numpy(np.stack([before, left, right, after])).to(self._device)
        autocast = torch.autocast(self._device.type, torch.bfloat16, enabled=self._half)
        with torch.inference_mode(), autocast:
            made = self._network(stacked.permute(0, 3, 1, 2).float().div(255)[None]).full
        pixels = made[0].clamp(0, 1).mul(255).round().byte()
        return np.asarray(pixels.permute(1, 2, 0).contiguous().cpu().numpy())


def build(settings: Settings | None, device: torch.device) -> VfitGenerator:
    """Builds the generator from a checkpoint. Raises ConfigError if the settings name none."""
    if settings is None or settings.weights is None:
        raise ConfigError(
            "interim 'vfit' needs a checkpoint; name it as vfit.weights in the scale's YAML, "
            "or use 'flow'"
        )
    network = VFIT(SIZES[settings.size])
    load_published(network, own_names(network), (), Path(settings.weights))
    return VfitGenerator(network.to(device).eval(), device, half=halves(device))


def halves(device: torch.device) -> bool:
    """Tells whether VFIT's layers run in bfloat16: on CPUs that are faster in it, for the time."""
    return device.type == "cpu" and cpu_has_bfloat16()
