"""Collects signals, so that whoever got them ends when it is ready to."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def noted(signals: Iterable[signal.Signals]) -> Iterator[list[int]]:
    """Collects these signals instead of being ended by them; only a main thread may do so."""
    came: list[int] = []
    before = {one: signal.signal(one, lambda number, _: came.append(number)) for one in signals}
    try:
        yield came
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
