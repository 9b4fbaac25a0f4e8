"""Mean of every loss term between two log lines; the value of one batch alone is too noisy."""

from typing import Any

import torch
from torch import Tensor


class Meter:
    """Sums loss terms on their device and gives their means.

    It is saved with the training's state, so that a resumed run logs the same means.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._count = 0

    def add(self, terms: dict[str, Tensor]) -> None:
        """Adds the terms of one step; it does not wait for the device."""
        for name, value in terms.items():
            sofar = self._sums.get(name, torch.zeros((), dtype=torch.float64, device=value.device))
            self._sums[name] = sofar + value.detach()
        self._count += 1

    def take(self) -> dict[str, float]:
        """Returns the means since the last call and starts anew; it waits for the device."""
        means = {name: (total / self._count).item() for name, total in self._sums.items()}
        self._sums, self._count = {}, 0
        return means

    def state_dict(self) -> dict[str, Any]:
        """Gives what `load_state_dict` needs to continue."""
        return {"sums": dict(self._sums), "count": self._count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continues from a saved state."""
        self._sums, self._count = dict(state["sums"]), int(state["count"])
