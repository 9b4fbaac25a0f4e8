"""Ends a training at a signal, when a cycle is complete and saved.

A cluster's scheduler sends SIGTERM, or SIGUSR1 if it is asked to, some time before it ends a job.
"""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tips.noted import noted

log = logging.getLogger(__name__)

ASKING: Final = (signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Collects the signals that ask for the end, instead of being ended by them.

    Only a process's main thread may do so; in another thread nothing changes.
    """
    main = threading.current_thread() is threading.main_thread()
    with noted(ASKING if main else ()) as came:
        yield came


def end_at(number: int, step: int) -> None:
    """Ends this process as the signal would, once the state of a step is saved; 0 is no signal."""
    if number:
        name = signal.Signals(number).name
        log.warning("%s: saved at step %d; the same command goes on from there", name, step)
        raise SystemExit(128 + number)
