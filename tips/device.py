"""Which device and precision a run uses; `auto` says what it chose, `cuda` fails without one."""

import ctypes
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import torch

from tips.config import ConfigError

log = logging.getLogger(__name__)


def choose_device(name: str) -> torch.device:
    """Resolves `auto`, `cpu` or `cuda`. Raises ConfigError if `cuda` is asked for in vain."""
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device must be auto, cpu or cuda; got '{name}'")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but torch finds no CUDA device; use device=auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        log.info("device auto: %s", name)
    return torch.device(name)


def use_threads(count: int) -> None:
    """Gives torch so many threads on the CPU, 0: one per core. Raises ConfigError."""
    if count < 0:
        raise ConfigError(f"--threads must be 0 (one per core) or more; got {count}")
    if count:
        torch.set_num_threads(count)


@contextmanager
def using_threads(threads: int) -> Iterator[None]:
    """Sets torch's threads for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def set_up_training(threads: int) -> None:
    """Makes this process one that trains: its threads (see `use_threads`), memory and order."""
    use_threads(threads)
    keep_freed_memory()
    make_repeatable()


def make_repeatable() -> None:
    """Lets torch compute in one order wherever it knows how to, and warn where it does not.

    Call it before anything has been computed on a card.
    """
    # Without it cuBLAS may add in another order from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # Filling fresh memory with NaN would cost a tenth of the time and change no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def use_bfloat16(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> bool:
    """Decides whether the backbone runs in bfloat16.

    On a CPU it pays only with instructions of its own: bf16/fp32 time is 0.43 with AMX, 0.55 with
    avx512_bf16, 2.4 on plain AVX-512 and 5.7 on AVX2.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return cpu_has_bfloat16()


def cpu_has_bfloat16() -> bool:
    """Looks for amx_bf16 or avx512_bf16 among the processor's flags."""
    return bool({"amx_bf16", "avx512_bf16"} & cpu_flags())


def cpu_flags() -> frozenset[str]:
    """Words of /proc/cpuinfo, flags among them; empty where there is no such file."""
    info = Path("/proc/cpuinfo")
    known = info.read_text(encoding="utf-8", errors="replace") if info.is_file() else ""
    return frozenset(known.split())


# Of glibc's malloc.h.
TRIM_THRESHOLD, MMAP_MAX = -1, -4
KEEP = ((TRIM_THRESHOLD, -1), (MMAP_MAX, 0))


def keep_freed_memory() -> bool:
    """Lets this process keep the memory of freed tensors instead of giving it back each time.

    Large maps are otherwise mapped and zeroed by the kernel anew for every operation: a fifth of
    an interpolation by VFIT on the CPU, a fortieth of a training at desk scale.

    Returns:
        Whether the C library can do it, which is glibc.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    return all(library.mallopt(option, value) for option, value in KEEP)
