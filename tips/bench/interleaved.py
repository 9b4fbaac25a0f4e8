"""Times several models in turn.

If the machine becomes slower or faster meanwhile, this affects all of them alike.
"""

import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch

from tips.progress import track


class Timing(NamedTuple):
    """Medians over the repeats, in seconds."""

    wall: float
    cpu: float


def interleaved(
    calls: dict[str, Callable[[], object]], repeats: int, device: torch.device
) -> dict[str, Timing]:
    """Times all calls in turn, `repeats` times, after one round of warm-up.

    Args:
        calls: the functions to time, by name.
        repeats: the number of timed rounds.
        device: the device that they compute on; a card is waited for after every call.

    Returns:
        The median wall time and CPU time of every call, by name.
    """
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
