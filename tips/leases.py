"""Leases: what holds a place where the file system cannot lock files, such as Lustre without flock.

A lease is a file that its holder makes anew and touches again and again. One that was not touched
for a while is left over, and another process takes it. That is weaker than a lock: a holder that is
suspended for longer than that loses it, notices so when it goes on, and ends.
"""

import logging
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

BEAT: Final = 20.0  # s between two touches
LEFT: Final = 180.0  # s without a touch after which a lease is left over


class HeldError(Exception):
    """Another process holds the lease."""


@contextmanager
def lease(path: Path) -> Iterator[None]:
    """Holds a lease, or refuses at once.

    Args:
        path: the file that is locked elsewhere; the lease lies beside it.

    Raises:
        HeldError: another process holds it.
    """
    file, own = path.with_name(f"{path.name}.lease"), uuid.uuid4().hex
    _take(file, own)
    ended = threading.Event()
    beating = threading.Thread(target=_beat, args=(file, own, ended), daemon=True)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()
        if _content(file) == own:
            file.unlink(missing_ok=True)


def _take(file: Path, own: str) -> None:
    """Makes the file, instead of one that is left over."""
    left = file.with_name(f"{file.name}.{own}")
    if (before := _content(file)) is not None:
        if _age(file) < LEFT:
            raise HeldError
        try:
            os.rename(file, left)
        except FileNotFoundError:
            raise HeldError from None  # another process was faster
        try:
            if _content(left) != before:  # that one has taken it meanwhile
                os.link(left, file)
                raise HeldError
        finally:
            left.unlink(missing_ok=True)
    try:
        with file.open("x", encoding="ascii") as stream:
            stream.write(own)
    except FileExistsError:
        raise HeldError from None


def _beat(file: Path, own: str, ended: threading.Event) -> None:
    """Touches the file until the end; ends this process if the lease is another one's."""
    while not ended.wait(BEAT):
        if _content(file) != own:
            log.error("%s was taken by another process, so this one ends", file)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        os.utime(file)


def _content(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return None


def _age(file: Path) -> float:
    """Tells how many seconds ago a file was touched, by the file system's own clock."""
    now = file.with_name(f"{file.name}.{uuid.uuid4().hex}.now")
    now.touch()
    try:
        return now.stat().st_mtime - file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
    finally:
        now.unlink()
