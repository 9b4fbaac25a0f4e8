"""Two ways to do the same, timed in turn, so that a drift of the machine meets both alike."""

import statistics
import time
from collections.abc import Callable, Sequence

Call = Callable[[], object]


def timed(theirs: Call, ours: Call, pairs: int) -> list[tuple[float, float]]:
    """Process CPU seconds of both sides in turn, after one pair of warm-up."""
    repeats = max(1, round(0.005 / max(seconds(ours, 3), 1e-6)))  # short calls: several at a time
    found = [(seconds(theirs, repeats), seconds(ours, repeats)) for _ in range(pairs + 1)]
    return found[1:]


def seconds(call: Call, repeats: int = 1) -> float:
    """Process CPU seconds of one call."""
    began = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - began) / repeats


def quartiles(ratios: Sequence[float]) -> list[float]:
    """First and third quartile, 3 decimals."""
    if len(ratios) == 1:
        return [round(ratios[0], 3)] * 2
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return [round(low, 3), round(high, 3)]
