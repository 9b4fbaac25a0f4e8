"""Compiles csrc/ if a compiler is found; without one, pure torch computes the same results."""

import logging
import os
import shutil
import subprocess
import time
from pathlib import Path

import torch

from tips.locks import LockError, waiting
from tips.ops import native
from tips.ops.native import FLAGS, SOURCES, Kind, library
from tips.records import atomic_path

log = logging.getLogger(__name__)


def prepare_kernels(device: torch.device) -> None:
    """Builds the compiled kernels for a device if they are missing, then loads them.

    A stage calls it before it computes. It builds only with TIPS_KERNELS=auto. A failure is
    reported in one line and is no error, because pure torch computes the same results.

    Raises:
        ConfigError: if TIPS_KERNELS has an unknown value, or is `cpp` and no library is built.
    """
    if native.setting() == "auto":
        kinds = [kind for kind in native.KINDS if kind in ("cpu", device.type)]
        missing = [kind for kind in kinds if not library(kind).is_file()]
        if any([build(kind)["library"] for kind in missing]):
            native.look_again()
    native.served()


def build(kind: Kind) -> dict[str, str | float]:
    """Compiles one library unless it is built already.

    If two processes compile at once, the second waits for the first. A file gets the library's
    name only when it is complete.

    Returns:
        `library`, its path below the repository, and `seconds`; or, if there is none, an empty
        `library` and the `reason`.
    """
    if not native.sources(kind):
        return _none(kind, f"{SOURCES} holds no source")
    compiler = find_compiler(kind)
    if compiler is None:
        return _none(kind, f"{'g++' if kind == 'cpu' else 'nvcc'} not found")
    target = library(kind)
    try:
        with waiting(target.parent / "lock", f"compiles {target}"):
            seconds = _compiled(kind, compiler, target)
    except OSError as error:
        return _none(kind, f"{error.filename}: {error.strerror}")
    except (LockError, CompilerError) as error:
        return _none(kind, str(error))
    return {"library": str(target.relative_to(SOURCES.parent)), "seconds": seconds}


def _compiled(kind: Kind, compiler: str, target: Path) -> float:
    """Compiles a library unless it is there; gives the seconds that it took."""
    if target.is_file():
        return 0.0
    began = time.monotonic()
    with atomic_path(target) as temporary:
        _run(compiler, command(kind, compiler, temporary))
    return round(time.monotonic() - began, 1)


class CompilerError(RuntimeError):
    """The name of a compiler that failed, and its first line that holds the word error."""


def _run(compiler: str, words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines()
        first = next((line for line in lines if "error" in line), "no message")
        raise CompilerError(f"{compiler} failed: {first}")


def find_compiler(kind: Kind) -> str | None:
    """Finds g++ (or $CXX) for `cpu`; for `cuda` the nvcc of $CUDA_HOME, else that of the PATH."""
    if kind == "cpu":
        return shutil.which(os.environ.get("CXX", "g++"))
    home = os.environ.get("CUDA_HOME")
    return shutil.which("nvcc", path=str(Path(home) / "bin") if home else None)


def command(kind: Kind, compiler: str, out: Path) -> list[str]:
    """Gives the compiler's command line for one library.

    Args:
        kind: `cpu` or `cuda`.
        compiler: path of the compiler.
        out: file that it writes.

    Returns:
        The words of the command line.
    """
    torch_folder = Path(torch.__file__).parent
    return [
        compiler,
        *FLAGS[kind],
        *(str(file) for file in native.sources(kind)),
        *("-o", str(out)),
        f"-I{torch_folder / 'include'}",
        f"-L{torch_folder / 'lib'}",
        *("-ltorch", "-ltorch_cpu", "-lc10"),
    ]


def _none(kind: Kind, reason: str) -> dict[str, str | float]:
    log.warning("no %s kernel (%s): deformable attention runs in pure torch", kind, reason)
    return {"library": "", "reason": reason}
