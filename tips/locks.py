"""Locks on files: one process at a time, in whatever container and on whatever host it runs.

A lock is the kernel's (flock), so it ends with its process, however that ends. The file stays:
whoever removed it could remove one that another process has just locked. It holds, as JSON, who
locked it last, so that a refusal can say who is in the way. Where a file system has no such locks,
a lease takes its place (tips/leases.py).
"""

import atexit
import errno
import fcntl
import logging
import os
import platform
import shlex
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tips.leases import HeldError, is_held, lease
from tips.queued import own_job

log = logging.getLogger(__name__)

WORKFLOW: Final = Path(".snakemake/tips/workflow.lock")  # held by every snakemake that runs jobs
NO_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
NAMESPACE: Final = Path("/proc/self/ns/pid")
SIGNED: Final = 1.0  # s; the first of two processes writes its name in less
TICK: Final = 0.05  # s
PAUSE: Final = 1.0  # s between two tries to take a lease
LONGEST: Final = 200  # characters of a command that a message shows
WHOLE: Final = 8192  # bytes; what a holder writes is shorter
EARLIEST, LATEST = (datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 9000))


class LockError(ValueError):
    """A lock that another process holds, or that cannot be taken here; the message says which."""


class _Holder(BaseModel):
    """What the holder of a lock writes into it; another program may have written anything."""

    model_config = ConfigDict(frozen=True, strict=True)

    process: Annotated[int, Field(ge=1, le=2**22)]
    host: str
    namespace: int
    command: str
    job: str = ""  # of a cluster's queue
    since: Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Holds a lock, or refuses at once.

    Args:
        path: file of the lock; it and its folder are made.
        what: what the holder does, for the refusal: `works in this folder`.

    Raises:
        LockError: another process holds it; the message says who and how to end it.
    """
    with _opened(path) as file, ExitStack() as held:
        if not _take(file, path, held):
            who, remedy = _holder(path, what)
            raise LockError(f"{who}; wait for it{remedy}")
        with _signed(file):
            yield


def alone_until_the_end(path: Path, what: str) -> None:
    """Holds a lock until this process ends, or refuses at once, as `alone` does."""
    held = ExitStack()
    held.enter_context(alone(path, what))
    atexit.register(held.close)


@contextmanager
def waiting(path: Path, what: str) -> Iterator[None]:
    """Holds a lock as soon as no other process does; while it waits, it has said for whom.

    Args:
        path: file of the lock; it and its folder are made.
        what: what the holder does, for the message: `writes results/mlflow.db`.
    """
    with _opened(path) as file, ExitStack() as held:
        if not _take(file, path, held):
            who, remedy = _holder(path, what)
            log.info("%s: waiting for it%s", who, remedy)
            while not _take(file, path, held, wait=True):
                time.sleep(PAUSE)
        with _signed(file):
            yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Opens the file of a lock. It is written to, so whatever leads to another file is refused."""
    if path.parent.is_symlink():
        raise LockError(
            f"{path.parent}: is a link, and a lock is kept in a folder of its own; remove the link"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path) and os.lstat(path).st_nlink > 1 and path.is_file():
        path.unlink()  # a copy by hard links, whose other name is somebody else's
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        file = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR):
            raise
        raise _no_file(path) from error
    try:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise _no_file(path)
        yield file
    finally:
        os.close(file)


def _no_file(path: Path) -> LockError:
    return LockError(f"{path}: must be a plain file, in which a lock is kept; remove it")


def _take(file: int, path: Path, held: ExitStack, *, wait: bool = False) -> bool:
    """Takes the lock, or a lease where there are no locks; False if another process holds it.

    Args:
        file: the open file.
        path: its path.
        held: gives a lease back when it is closed; a lock ends with the open file.
        wait: whether to wait for a lock; nothing waits for a lease.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        if is_held(path):  # by a process that found no locks, on another node perhaps
            fcntl.flock(file, fcntl.LOCK_UN)
            return False
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        try:
            held.enter_context(lease(path))
        except HeldError:
            return False
    return True


@contextmanager
def _signed(file: int) -> Iterator[None]:
    """Notes this process as the holder."""
    holder = _Holder(
        process=os.getpid(),
        host=platform.node(),
        namespace=_namespace(),
        command=_command(),
        job=own_job(),
        since=datetime.now().astimezone().replace(microsecond=0),
    )
    os.ftruncate(file, 0)
    os.pwrite(file, holder.model_dump_json().encode(), 0)
    try:
        yield
    finally:
        os.ftruncate(file, 0)


def _namespace() -> int:
    """Tells apart the containers of a host, in which a process's number means another process."""
    return NAMESPACE.stat().st_ino if NAMESPACE.exists() else 0


def _command() -> str:
    program = Path(sys.argv[0])
    name = program.parent.name if program.name == "__main__.py" else program.name
    return _shown(shlex.join([name, *sys.argv[1:]]))


def _shown(words: str) -> str:
    """Puts words into one short line."""
    return "".join(letter if letter.isprintable() else "?" for letter in words[:LONGEST])


def _holder(path: Path, what: str) -> tuple[str, str]:
    """Says who holds a lock, and how to end that; nothing on the latter if nobody has signed."""
    holder = _signature(path)
    if holder is None:
        return f"another process {what} already (it holds {path})", ""
    place = ""
    if holder.host != platform.node():
        place = " there"
    elif holder.namespace != _namespace():
        place = " in its container"
    job = f"job {_shown(holder.job)}, " if holder.job else ""
    who = (
        f"`{_shown(holder.command)}` ({job}process {holder.process} on host {_shown(holder.host)} "
        f"since {_clock(holder.since)}) {what} already"
    )
    if holder.job:
        return who, f" or end it with: scancel {_shown(holder.job)}"
    return who, f" or end it{place} with: kill {holder.process}"


def _signature(path: Path) -> _Holder | None:
    """Reads what the holder wrote; None if that is no signature, not even after a moment."""
    until = time.monotonic() + SIGNED
    while time.monotonic() < until:
        try:
            with path.open("rb") as file:
                return _Holder.model_validate_json(file.read(WHOLE))
        except ValueError:
            time.sleep(TICK)
    return None


def _clock(since: datetime) -> str:
    """Gives the time of day, with the date if it was not today."""
    then = since.astimezone()
    today = then.date() == datetime.now().astimezone().date()
    return f"{then:%H:%M}" if today else f"{then:%Y-%m-%d %H:%M}"
