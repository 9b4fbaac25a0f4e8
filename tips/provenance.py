"""What a result depends on besides code and settings: files, commit, machine, packages."""

import hashlib
import os
import platform
import re
import shutil
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from tips.records import RecordError

PACKAGE = Path(__file__).parent
VECTORS = re.compile(r"(avx|amx|fma|sse4|neon|asimd|sve)\w*")
VERSIONS = ("numpy", "opencv-python-headless", "timm", "torch", "torchvision")


def file_digest(path: Path, remedy: str = "run the rule that makes it") -> str:
    """Computes the sha256 of a file. Raises RecordError, with the remedy, if there is none."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; {remedy}") from error


def commit() -> tuple[str, str]:
    """Gives the commit, and the difference of the working tree from it ("" if there is none).

    Outside a git checkout it gives "not a git checkout" and "".
    """
    head = _git("rev-parse", "HEAD")
    if head is None:
        return "not a git checkout", ""
    return head.strip(), _git("diff", "HEAD", "--", "tips", "csrc", "experiments", "workflow") or ""


def commit_record() -> dict[str, Any]:
    """Gives the commit, and whether the working tree differs from it, in the form of records."""
    found, diff = commit()
    return {"commit": found, "dirty": bool(diff)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=PACKAGE.parent, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


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


def surroundings() -> dict[str, Any]:
    """Describes what a computation runs on: packages, lock file, compiler, machine."""
    return {
        "versions": versions(),
        "lock_digest": lock_digest(),
        "compiler": compiler(),
        "machine": machine(),
        "vector_extensions": vector_extensions(),
    }


def has_nvidia_driver() -> bool:
    """Tells whether a CUDA driver is loaded, without importing torch."""
    return Path("/dev/nvidiactl").exists()
