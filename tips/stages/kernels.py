"""Compiles csrc/ where a compiler is found; without one, pure torch computes the same."""

import fcntl
import logging
import os
import shutil
import subprocess
import time
from pathlib import Path

import torch

from tips.config import ConfigError
from tips.ops import native
from tips.ops.native import FLAGS, SOURCES, Kind, library
from tips.records import atomic_path, write_json
from tips.stages._study import open_study

log = logging.getLogger(__name__)
WISHES = ("auto", "yes", "no")


def run(scale: str = "desk", root: str = "", cuda: str = "auto") -> None:
    """Builds the libraries that are not there yet, and notes what serves which device.

    Args:
        scale: name of a file of experiments/scales; its results folder gets kernels.json.
        root: dataset folder, where the scale leaves it open.
        cuda: auto (where torch finds a card), yes (where nvcc is found) or no.

    Raises:
        ConfigError: an unknown scale, or cuda is none of these.
    """
    if cuda not in WISHES:
        raise ConfigError(f"--cuda must be {', '.join(WISHES)}; got '{cuda}'")
    paths = open_study(scale, root).paths
    kinds: list[Kind] = ["cpu"]
    if cuda == "yes" or (cuda == "auto" and torch.cuda.is_available()):
        kinds.append("cuda")
    write_json({kind: build(kind) for kind in kinds}, paths.kernels)


def build(kind: Kind) -> dict[str, str | float]:
    """Compiles one library unless it is built; says where it lies or why there is none.

    A second process waits for the first. What is half-written never gets the library's name.
    """
    compiler = find_compiler(kind)
    if compiler is None:
        return _none(kind, f"{'g++' if kind == 'cpu' else 'nvcc'} not found")
    target = library(kind)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_file():
            return {"library": str(target.relative_to(SOURCES.parent)), "seconds": 0.0}
        began = time.monotonic()
        try:
            with atomic_path(target) as temporary:
                _compile(command(kind, compiler, temporary))
        except CompilerError as error:
            return _none(kind, f"{compiler} failed: {error}")
        seconds = round(time.monotonic() - began, 1)
    return {"library": str(target.relative_to(SOURCES.parent)), "seconds": seconds}


class CompilerError(RuntimeError):
    """The first line of a compiler's complaint."""


def _compile(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.splitlines()
        raise CompilerError(next((line for line in lines if "error" in line), "no message"))


def find_compiler(kind: Kind) -> str | None:
    """Finds g++ (or $CXX), or the nvcc of $CUDA_HOME or the path."""
    if kind == "cpu":
        return shutil.which(os.environ.get("CXX", "g++"))
    home = os.environ.get("CUDA_HOME")
    return shutil.which("nvcc", path=str(Path(home) / "bin") if home else None)


def command(kind: Kind, compiler: str, out: Path) -> list[str]:
    """The compiler's command line for one library."""
    torch_folder = Path(torch.__file__).parent
    return [
        compiler,
        *FLAGS[kind],
        *(str(SOURCES / file) for file in native.FILES[kind] if file.endswith((".cpp", ".cu"))),
        *("-o", str(out)),
        f"-I{torch_folder / 'include'}",
        f"-L{torch_folder / 'lib'}",
        *("-ltorch", "-ltorch_cpu", "-lc10"),
    ]


def _none(kind: Kind, reason: str) -> dict[str, str | float]:
    log.warning("no %s kernel (%s): deformable attention runs in pure torch", kind, reason)
    return {"library": "", "reason": reason}
