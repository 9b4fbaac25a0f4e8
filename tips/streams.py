"""Devices, pipes and what a process has open: a user may name them as a file to write."""

import errno
import os
import re
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

NAMED: Final = {"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
PATIENCE: Final = 10.0  # s to wait for the reader of a pipe
NUMBERED: Final = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")


def is_stream(path: Path) -> bool:
    """Tells whether a name stands for a device, a pipe, or what this process has open.

    A link to one is none: among results it may be a stranger's, and is replaced like a file.
    """
    if _number(path) is not None:
        return True
    kind = os.lstat(path).st_mode if os.path.lexists(path) else stat.S_IFREG
    return not (stat.S_ISREG(kind) or stat.S_ISDIR(kind) or stat.S_ISLNK(kind))


@contextmanager
def stream(path: Path) -> Iterator[IO[str]]:
    """Opens a device, a pipe, or what this process has open, for text.

    Raises:
        OSError: if it cannot be written, or is a pipe that nobody reads.
    """
    number = _number(path)
    sys.stdout.flush()  # what was printed before comes first
    if number is None:
        opened = _opened(path)
    else:
        # Opening its name anew would begin at the start of a file that it was redirected to.
        opened = os.dup(number)
    with open(opened, "w", encoding="utf-8", newline="") as file:
        yield file


def _opened(path: Path) -> int:
    """Opens a device, or a pipe if somebody reads it soon; else opening would wait for ever."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            opened = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            os.set_blocking(opened, True)
            return opened


def _number(path: Path) -> int | None:
    """Gives the number of an open file by its name, as /dev/stdout is 1."""
    name = os.path.normpath(path)
    found = NUMBERED.fullmatch(name)
    return int(found[1]) if found else NAMED.get(name)
