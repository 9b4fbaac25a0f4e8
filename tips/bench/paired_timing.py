"""Times two ways to do the same, in turn.

If the machine becomes slower or faster meanwhile, this affects both alike.
"""

import statistics
import time
from collections.abc import Callable, Sequence

Call = Callable[[], object]


def timed(theirs: Call, ours: Call, pairs: int) -> list[tuple[float, float]]:
    """Times both sides in turn, after one pair of warm-up.

    Args:
        theirs: the reference.
        ours: what is compared with it.
        pairs: the number of timed pairs.

    Returns:
        The CPU seconds of this process for one call of each side, (theirs, ours), pair by pair.
    """
    repeats = max(1, round(0.005 / max(seconds(ours, 3), 1e-6)))  # short calls are repeated
    found = [(seconds(theirs, repeats), seconds(ours, repeats)) for _ in range(pairs + 1)]
    return found[1:]


def seconds(call: Call, repeats: int = 1) -> float:
    """Measures the CPU seconds of one call in this process, as a mean over `repeats` calls."""
    began = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - began) / repeats


def quartiles(ratios: Sequence[float]) -> list[float]:
    """Gives the first and the third quartile, with 3 decimals."""
    if len(ratios) == 1:
        return [round(ratios[0], 3)] * 2
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return [round(low, 3), round(high, 3)]
