"""Models that take turns, so that a drift of the machine meets all of them alike."""

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch

from tips.progress import track


class Timing(NamedTuple):
    """Medians over the repeats, seconds."""

    wall: float
    cpu: float


def interleaved(
    calls: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, Timing]:
    """Runs all calls in turn `repeats` times, after one round of warm-up."""
    walls: dict[str, list[float]] = {name: [] for name in calls}
    cpus: dict[str, list[float]] = {name: [] for name in calls}
    for turn in track(range(repeats + 1), "timing"):
        for name, call in calls.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            if device.type == "cuda":
                torch.cuda.synchronize()
            if turn:
                walls[name].append(time.perf_counter() - wall)
                cpus[name].append(time.process_time() - cpu)
    return {name: Timing(median(walls[name]), median(cpus[name])) for name in calls}
