"""Shows the progress of long work on stderr.

A terminal gets a bar with the remaining time, a file gets a line now and then.
"""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")
EVERY = 10.0  # seconds between plain lines


def track(items: Iterable[T], label: str, total: int | None = None) -> Iterator[T]:
    """Yields the items and shows how many of them are done.

    Args:
        items: the work.
        label: what is being done, in a few words.
        total: the number of items, if `items` has no length.
    """
    count = len(items) if total is None and isinstance(items, Sized) else total
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from _lines(items, label, count)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        yield from bar.track(items, total=count, description=label)


def _lines(items: Iterable[T], label: str, total: int | None) -> Iterator[T]:
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= EVERY or done == total:
            last = now
            spent = now - start
            left = f" of {total}, {spent / done * (total - done):.0f} s left" if total else ""
            print(f"{label}: {done}{left}", file=sys.stderr, flush=True)
