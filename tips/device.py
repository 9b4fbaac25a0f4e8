"""Sets up device, precision, threads and memory of a process."""

import ctypes
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import torch

from tips.config import ConfigError, Scale

log = logging.getLogger(__name__)
THREADS: Final = 1024  # libgomp ends the process if it cannot start them


def choose_device(name: str, scale: Scale | None = None) -> torch.device:
    """Resolves `auto`, `cpu` or `cuda`; `auto` logs what it chose.

    Args:
        name: one of these.
        scale: the scale of the study, which may need a card.

    Raises:
        ConfigError: if the name is another one, if it is `cuda` and there is no such device, or if
            a scale would compute for months on a CPU.
    """
    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device must be auto, cpu or cuda; got '{name}'")
    if scale is not None and scale.card and (name == "cpu" or not torch.cuda.is_available()):
        found = "device is cpu" if name == "cpu" else "torch finds no CUDA device here"
        raise ConfigError(
            f"scale {scale.name} computes on a card only, and {found}; run it where a card is, or "
            "on a cluster by PROFILE=slurm"
        )
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device is cuda, but torch finds no CUDA device; use device=auto or cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        log.info("device auto: %s", name)
    return torch.device(name)


def card_of(device: torch.device) -> str:
    """Gives the name of the card that a device is; empty for the CPU."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else ""


def use_threads(count: int) -> None:
    """Sets the number of torch's threads on the CPU; 0 means one per core.

    Raises:
        ConfigError: if the number is negative, or if no machine has so many cores.
    """
    if not 0 <= count <= THREADS:
        raise ConfigError(f"--threads must be 0 (one per core) to {THREADS}; got {count}")
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
    """Sets up this process for training: threads (see `use_threads`), memory, repeatable sums."""
    use_threads(threads)
    keep_freed_memory()
    make_repeatable()


def make_repeatable() -> None:
    """Makes torch add in the same order in every run; it warns of operations that cannot.

    It must be called before anything has been computed on a card.
    """
    # Without this variable cuBLAS may add in another order from run to run.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    # By default torch then also fills fresh memory with NaN. That would take a tenth of the time
    # and change no result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def use_bfloat16(precision: Literal["auto", "fp32", "bf16"], device: torch.device) -> bool:
    """Decides whether the backbone runs in bfloat16.

    On a CPU it is faster only if the processor has instructions for it: the time in bfloat16
    divided by that in float32 is 0.43 with AMX, 0.55 with avx512_bf16, 2.4 on plain AVX-512 and
    5.7 on AVX2.
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
    """Gives the words of /proc/cpuinfo, the processor's flags among them; none without the file."""
    info = Path("/proc/cpuinfo")
    known = info.read_text(encoding="utf-8", errors="replace") if info.is_file() else ""
    return frozenset(known.split())


# Constants of glibc's malloc.h.
TRIM_THRESHOLD, MMAP_MAX = -1, -4
KEEP = ((TRIM_THRESHOLD, -1), (MMAP_MAX, 0))


def keep_freed_memory() -> bool:
    """Makes this process keep the memory of freed tensors instead of returning it to the system.

    Otherwise the kernel maps and zeroes the memory of a large tensor anew for every operation.
    That takes a fifth of the time of VFIT on the CPU, and a fortieth of a training at desk scale.

    Returns:
        Whether the C library, which must be glibc, can do it.
    """
    library = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    return all(library.mallopt(option, value) for option, value in KEEP)
