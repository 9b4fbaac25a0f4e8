"""Leases: what holds a place where the file system cannot lock files, such as Lustre without flock.

A lease is a file that its holder makes anew and touches again and again. One that was not touched
for a while is left over, and another process takes it. That is weaker than a lock: a holder that is
suspended for longer than that loses it, and ends as soon as it goes on. It saves nothing then,
because the place is another process's.
"""

import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

BEAT: Final = 20.0  # s between two touches
LEFT: Final = 180.0  # s without a touch after which a lease is left over
LOST: Final = 0.8  # share of that after which a holder that could not touch it gives up
LOOK: Final = 1.0  # s between two looks at whether a holder lives
MISUSE: Final = 2  # exit code


class HeldError(Exception):
    """Another process holds the lease."""


@contextmanager
def lease(path: Path) -> Iterator[None]:
    """Holds a lease, or refuses as soon as its holder has shown that it lives.

    One that a killed process has left is waited for.

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
        _wait_until_left(file)
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


def is_held(path: Path) -> bool:
    """Tells whether a process holds the lease of a file, or has left it only just now."""
    file = path.with_name(f"{path.name}.lease")
    return _content(file) is not None and _age(file) < LEFT


def _wait_until_left(file: Path) -> None:
    """Waits until a lease is left over. Raises HeldError at the first touch."""
    age = _age(file)
    while age < LEFT:
        time.sleep(LOOK)
        before, age = age, _age(file)
        if age < before:
            raise HeldError


def _beat(file: Path, own: str, ended: threading.Event) -> None:
    """Touches the file until the end; ends this process if it has lost the lease."""
    touched, lost = time.monotonic(), ""
    while not lost and not ended.wait(BEAT):
        try:
            if _content(file) != own:
                lost = f"{file} was taken by another process"
            else:
                os.utime(file)
                touched = time.monotonic()
        except OSError as error:  # of a network's file system, which may answer again
            if time.monotonic() - touched > LOST * LEFT:
                lost = f"{file} could not be touched ({error.strerror})"
    if lost:
        _end(lost)


def _end(why: str) -> None:
    """Ends this process at once: whatever it still wrote could be another one's."""
    print(f"error: {why}, so this process ends; run the same command again", file=sys.stderr)
    sys.stderr.flush()
    os._exit(MISUSE)


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
