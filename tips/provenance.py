"""What a result depends on besides code and settings: files, commit, machine, packages."""

import difflib
import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

from tips.queued import own_job
from tips.records import read_object, regular
from tips.safe_text import one_line
from tips.temporaries import visible

PACKAGE = Path(__file__).parent
VECTORS = re.compile(r"(avx|amx|fma|sse4|neon|asimd|sve)\w*")
VERSIONS = ("numpy", "opencv-python-headless", "timm", "torch", "torchvision")
CONFIGURATION: Final = "experiments"
TRACKED: Final = ("tips", "csrc", CONFIGURATION, "workflow")  # folders whose edits count
FROZEN: Final = "checkout.json"  # beside a copy of the package: the checkout that it is of
NO_CHECKOUT: Final = "not a git checkout"
UNKNOWN: Final = "unknown"
HASH: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
LONGEST: Final = 200  # characters of other words that stand for a commit
DRIVER: Final = Path("/proc/driver/nvidia/version")
PATIENCE: Final = 60  # s that one answer of git may take
# A checkout's own configuration may name programs that git runs; these run none of them.
RUN_NOTHING: Final = (
    *("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"),
    *("-c", "core.attributesFile=/dev/null", "--no-pager", "--no-replace-objects"),
)
# No lock is taken, and an object that a partial clone lacks is not fetched.
GIT_TOLD: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}


def file_digest(path: Path, remedy: str = "run the rule that makes it") -> str:
    """Computes the sha256 of a file. Raises RecordError, with the remedy, if there is none."""
    regular(path, remedy)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Checkout(NamedTuple):
    """The commit that the working tree is of, and how the tree differs from it."""

    commit: str  # its hash, "not a git checkout" or "unknown"
    dirty: bool | None  # whether the tree differs; None: unknown
    diff: str = ""
    reason: str = ""  # why it is unknown

    @property
    def record(self) -> dict[str, Any]:
        """The commit, and whether the working tree differs from it, in the form of records."""
        found: dict[str, Any] = {"commit": self.commit, "dirty": self.dirty}
        return found if self.dirty is not None else found | {"dirty_reason": self.reason}


class _NoAnswerError(Exception):
    """Git gave no answer; the message says why."""


class _NoCheckoutError(_NoAnswerError):
    """There is no git, or no checkout."""


def checkout() -> Checkout:
    """Finds the commit, and compares the files of the working tree with it.

    Git is only asked for what it has stored. `git diff` would run programs that the checkout's
    configuration and attributes name (filters, drivers, a monitor of files), and believe marks such
    as "assume unchanged".
    """
    if (frozen := PACKAGE.parent / FROZEN).is_file():
        found = read_object(frozen)
        if found.pop(CONFIGURATION) != configuration():
            return Checkout(found["commit"], None, reason="experiments/ was edited meanwhile")
        return Checkout(**found)
    commit = UNKNOWN
    try:
        commit = str(_git("rev-parse", "--verify", "HEAD"), "ascii", "replace").strip()
        diff = "".join(_differences(commit))
    except _NoCheckoutError:
        return Checkout(NO_CHECKOUT, False)
    except _NoAnswerError as error:
        return Checkout(commit, None, reason=str(error))
    return Checkout(commit, bool(diff), diff)


def configuration() -> str:
    """Computes a digest of the configuration in the working folder."""
    digest = hashlib.sha256()
    for file in visible(Path(CONFIGURATION), "**/*.yaml"):
        content = file.read_bytes()
        digest.update(f"{file}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def shown_commit(commit: str, dirty: bool | None, reason: str = "", digits: int = 7) -> str:
    """Words a recorded commit as every page shows it, such as "1f2e3d4 + changes".

    Args:
        commit: its hash, or what stands in the record instead of one.
        dirty: whether the tree differed from it; None if that is unknown.
        reason: why it is unknown.
        digits: number of the hash's digits to show.
    """
    known = HASH.fullmatch(commit) is not None
    words = commit[:digits] if known else one_line(commit, LONGEST)
    words += " + changes" if dirty else " + unknown changes" if known and dirty is None else ""
    return f"{words} ({one_line(reason, LONGEST)})" if reason else words


def _differences(commit: str) -> Iterator[str]:
    """Yields the parts of the difference between a commit and the files, in git's form."""
    listed = {}
    for line in _names(_git("ls-tree", "-r", "-z", commit, "--", *TRACKED)):
        about, _, name = line.partition(b"\t")
        _, kind, digest = str(about, "ascii", "replace").split()
        if kind == "blob":
            listed[name] = digest
    for name in sorted({*listed, *_names(_git("ls-files", "-z", "--", *TRACKED))}):
        before, now = listed.get(name), _on_disk(PACKAGE.parent / os.fsdecode(name))
        if before is None and now is None:
            continue
        if before is None or now is None or _blob_digest(now, len(before)) != before:
            then = None if before is None else _git("cat-file", "blob", before)
            yield from _unified(str(name, "utf-8", "backslashreplace"), then, now)


def _names(listed: bytes) -> list[bytes]:
    return [name for name in listed.split(b"\0") if name]


def _on_disk(path: Path) -> bytes | None:
    """Reads a file, or where a link leads, as git stores it; None if there is neither."""
    try:
        if path.is_symlink():
            return os.fsencode(path.readlink())
        return path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise _NoAnswerError("a file of the checkout cannot be read") from error


def _blob_digest(content: bytes, digits: int) -> str:
    """Computes the name that git gives to a content, by the number of its digits."""
    name = "sha1" if digits == 40 else "sha256"
    header = b"blob %d\0" % len(content)
    return hashlib.new(name, header + content, usedforsecurity=False).hexdigest()


def _unified(name: str, before: bytes | None, now: bytes | None) -> Iterator[str]:
    yield f"diff --git a/{name} b/{name}\n"
    if before is None:
        yield "new file mode 100644\n"
    if now is None:
        yield "deleted file mode 100644\n"
    if b"\0" in (before or b"") + (now or b""):
        yield f"Binary files a/{name} and b/{name} differ\n"
        return
    old = "/dev/null" if before is None else f"a/{name}"
    new = "/dev/null" if now is None else f"b/{name}"
    yield from difflib.unified_diff(_lines(before or b""), _lines(now or b""), old, new)


def _lines(content: bytes) -> list[str]:
    """Splits a file's lines as git does; bytes that are no UTF-8 become escapes."""
    *lines, last = str(content, "utf-8", "backslashreplace").split("\n")
    found = [f"{line}\n" for line in lines]
    return [*found, f"{last}\n\\ No newline at end of file\n"] if last else found


def _git(*arguments: str) -> bytes:
    """Asks git. Raises _NoAnswerError if it does not answer."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", *RUN_NOTHING, *arguments],
            cwd=PACKAGE.parent,
            env=own | GIT_TOLD,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=PATIENCE,
        )
    except OSError as error:
        raise _NoCheckoutError from error
    except subprocess.TimeoutExpired as error:
        raise _NoAnswerError(f"git did not answer within {PATIENCE} s") from error
    if done.returncode == 0:
        return done.stdout
    if b"not a git repository (or any" in done.stderr:
        raise _NoCheckoutError
    if b"dubious ownership" in done.stderr or b"unsafe repository" in done.stderr:
        raise _NoAnswerError(
            "git refuses, because another user owns the checkout; allow it by git config "
            "--global --add safe.directory"
        )
    raise _NoAnswerError(f"git {arguments[0]} ended with code {done.returncode}")


def versions() -> dict[str, str]:
    """Gives the versions of Python and of the packages that compute results."""
    found = {"python": platform.python_version()}
    for name in VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def machine() -> str:
    """Gives the processor's name and number of cores, but not the host's name."""
    model = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        model = names[0] if names else model
    return f"{model}, {os.cpu_count()} cores"


def vector_extensions() -> list[str]:
    """Lists the processor's vector extensions, on which the last bits of sums depend."""
    info = Path("/proc/cpuinfo")
    words = info.read_text(encoding="utf-8", errors="replace").split() if info.is_file() else []
    return sorted({word for word in words if VECTORS.fullmatch(word)})


def compiler() -> str:
    """Gives the version line of the compiler of the CPU's kernels; "none" if there is none."""
    command = shutil.which(os.environ.get("CXX", "g++"))
    if command is None:
        return "none"
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0].strip() or "none"


def lock_digest() -> str:
    """Computes the sha256 of the lock file that the environment is installed from."""
    file = PACKAGE.parent / "requirements.lock"
    return file_digest(file) if file.is_file() else "no lock file"


def driver() -> str:
    """Gives the version of the loaded CUDA driver; empty without one.

    The rest of what the driver says of itself may name the machine on which it was built.
    """
    said = DRIVER.read_text(encoding="utf-8", errors="replace") if DRIVER.is_file() else ""
    version = re.search(r"\d+\.\d+(\.\d+)?", said)
    return version[0] if version else ""


def surroundings(card: str = "") -> dict[str, Any]:
    """Describes what a computation runs on: packages, lock file, compiler, machine.

    On a cluster the job's number goes along. The node's name says who owns the machine, so it is
    told only if the environment variable TIPS_NODE is set.

    Args:
        card: the name of the card that computes; empty for none.
    """
    return {
        "card": card,
        "driver": driver() if card else "",
        "job": own_job(),
        "node": platform.node() if os.environ.get("TIPS_NODE") else "",
        "versions": versions(),
        "lock_digest": lock_digest(),
        "compiler": compiler(),
        "machine": machine(),
        "vector_extensions": vector_extensions(),
    }


def has_nvidia_driver() -> bool:
    """Tells whether a CUDA driver is loaded, without importing torch."""
    return Path("/dev/nvidiactl").exists()
