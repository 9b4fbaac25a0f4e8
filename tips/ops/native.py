"""The compiled kernels of csrc/: where they lie, what they are made of, how torch knows them.

Nothing is built here: `tips.ops.compile` does that. A library's folder is named by a digest of its
sources, of torch's version and of the flags, so a stale library is never loaded.
"""

import hashlib
import os
import platform
import re
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from tips.config import ConfigError
from tips.temporaries import visible

Kind = Literal["cpu", "cuda"]
SOURCES = Path(__file__).parents[2] / "csrc"
KINDS: tuple[Kind, ...] = ("cpu", "cuda")
SUFFIX: dict[Kind, str] = {"cpu": ".cpp", "cuda": ".cu"}
# LibTorch's stable ABI of torch 2.13. It needs no header of ATen, so compiling takes seconds.
TORCH_ABI = "-DTORCH_TARGET_VERSION=0x020d000000000000"
ARCHITECTURES = (80, 86, 90)
FLAGS: dict[Kind, tuple[str, ...]] = {
    # There is no -march, because the instruction set is chosen at run time. -fno-trapping-math and
    # -ffp-contract=fast let the compiler vectorise loops; neither changes the order of additions.
    "cpu": (
        *("-std=c++20", "-O3", "-fPIC", "-shared", "-fopenmp-simd", "-Wall", "-Wno-psabi"),
        *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast", TORCH_ABI),
    ),
    "cuda": (
        *("-std=c++20", "-O3", "-shared", "-Xcompiler", "-fPIC", "-DUSE_CUDA", TORCH_ABI),
        *(f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in ARCHITECTURES),
    ),
}
SETTING = "TIPS_KERNELS"


def sources(kind: Kind) -> list[Path]:
    """Lists the files that a library is compiled from: those that register an operator with torch.

    The emulator registers none; only tests compile it.
    """
    found = visible(SOURCES, f"*{SUFFIX[kind]}")
    return [file for file in found if "TORCH_LIBRARY" in file.read_text(encoding="utf-8")]


def files(kind: Kind) -> list[Path]:
    """Lists the sources of a library and every file of csrc/ that they include, at any depth."""
    todo = sources(kind)
    found: set[Path] = set()
    while todo:
        file = todo.pop()
        if file in found:
            continue
        found.add(file)
        text = file.read_text(encoding="utf-8")
        named = re.findall(r'^\s*#\s*include\s*"([^"]+)"', text, re.MULTILINE)
        todo += [file.parent / name for name in named if (file.parent / name).is_file()]
    return sorted(found)


@cache
def library(kind: Kind) -> Path:
    """Gives the path of the library of the present source, torch and flags, built or not."""
    digest = hashlib.sha256()
    for file in files(kind):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    for part in (torch.__version__, platform.machine(), *FLAGS[kind]):
        digest.update(part.encode() + b"\0")
    return SOURCES / "build" / digest.hexdigest()[:16] / f"tips_{kind}.so"


def setting() -> str:
    """Reads TIPS_KERNELS: auto, cpp or torch. Raises ConfigError for anything else."""
    found = os.environ.get(SETTING, "auto")
    if found not in ("auto", "cpp", "torch"):
        raise ConfigError(f"{SETTING} must be auto, cpp or torch; got '{found}'")
    return found


# A list, because torch.compile would trace through functools.cache into `load`.
_loaded: list[frozenset[str]] = []


def served() -> frozenset[str]:
    """Tells for which types of device, cpu or cuda, compiled kernels are loaded.

    The first call loads them. A library that something else builds later is not noticed by this
    process; `tips.ops.compile` makes it look again.
    """
    if not _loaded:
        _loaded.append(load())
    return _loaded[0]


def look_again() -> None:
    """Makes the next call of `served` load what is built by then."""
    _loaded.clear()


def serves(device: str) -> bool:
    """Tells whether compiled kernels are loaded for a type of device."""
    return device in served()


def backend(device: str = "cpu") -> str:
    """Names what computes deformable attention on a device; recorded with every run."""
    return "cpp" if serves(device) else "torch"


def kernels_of(device: torch.device) -> str:
    """Gives the device's type if compiled kernels are loaded for it, else ""."""
    return device.type if serves(device.type) else ""


def load() -> frozenset[str]:
    """Loads the libraries that are built and registers their operators with torch.

    TIPS_KERNELS decides: `torch` loads none, `auto` what there is, and `cpp` insists on them.

    Returns:
        The types of device, cpu or cuda, that compiled kernels serve from now on.

    Raises:
        ConfigError: if the setting is unknown, or is `cpp` and no library is built.
    """
    wish = setting()
    if wish == "torch":
        return frozenset()
    if not (SOURCES.is_dir() and library("cpu").is_file()):
        if wish == "cpp":
            raise ConfigError(f"{SETTING}=cpp, but no kernel is built; run `make kernels`")
        return frozenset()
    built = [kind for kind in KINDS if library(kind).is_file()]
    for kind in built:
        torch.ops.load_library(library(kind))
    _register()
    return frozenset(built)


@cache
def _register() -> None:
    """Registers shapes, gradients and autocast of the operators and of their backward passes."""
    op, backward_op = "tips::deform_attn", "tips::deform_attn_backward"
    torch.library.register_fake(op, _shape)
    torch.library.register_fake(backward_op, _shapes_backward)
    torch.library.register_autograd(op, _backward, setup_context=_save)
    torch.library.register_autograd(backward_op, _refuse)
    for device in ("cpu", "cuda"):
        torch.library.register_autocast(op, device, torch.float32)
    torch.library.register_fake("tips::adacof", _shape_of_warped)
    torch.library.register_fake("tips::adacof_backward", _shapes_of_moves)
    torch.library.register_autograd("tips::adacof", _backward_of_moves, setup_context=_save_all)
    torch.library.register_autograd("tips::adacof_backward", _refuse)


def _shape(
    value: Tensor, shapes: list[int], locations: Tensor, weights: Tensor, centres: Tensor | None
) -> Tensor:
    batch, _, heads, width = value.shape
    return value.new_empty(batch, locations.shape[1], heads * width)


def _shapes_backward(
    grad: Tensor,
    value: Tensor,
    shapes: list[int],
    locations: Tensor,
    weights: Tensor,
    centres: Tensor | None,
    scale: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    sums = torch.int64 if value.is_cuda and scale is not None else locations.dtype
    return (
        value.new_empty(value.shape, dtype=sums),
        torch.empty_like(locations, memory_format=torch.contiguous_format),
        torch.empty_like(weights, memory_format=torch.contiguous_format),
    )


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    value, ctx.shapes, locations, weights, centres = inputs
    ctx.save_for_backward(value, locations, weights, centres)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    value, locations, weights, centres = ctx.saved_tensors
    scale = None
    if value.is_cuda and grad.numel() and torch.are_deterministic_algorithms_enabled():
        scale = fixed_point_scale(grad, weights, fused=centres is not None)
    sums, grad_locations, grad_weights = torch.ops.tips.deform_attn_backward(
        grad, value, ctx.shapes, locations, weights, centres, scale
    )
    if scale is not None:
        sums = sums.double() / scale
    return sums.to(value.dtype), None, grad_locations, grad_weights, None


def _refuse(ctx: Any, *grads: Tensor) -> None:
    raise RuntimeError("compiled kernels have no second derivative")


def _shape_of_warped(image: Tensor, weights: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    return image.new_empty(*image.shape[:2], *weights.shape[2:])


def _shapes_of_moves(
    grad: Tensor, image: Tensor, weights: Tensor, rows: Tensor, columns: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    found = [weights.new_empty(weights.shape) for _ in range(3)]
    return found[0], found[1], found[2]


def _save_all(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward_of_moves(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    return None, *torch.ops.tips.adacof_backward(grad, *ctx.saved_tensors)


def fixed_point_scale(grad: Tensor, weights: Tensor, fused: bool) -> Tensor:
    """Computes the factor for value gradients before they are rounded to integers and summed.

    It keeps every sum below 2^62. One pixel receives at most all samples of its head, each with at
    most the largest weight; the weights of a softmax sum to 1. If a gradient is NaN, so are the
    factor and all sums. The result is a tensor, so that nothing waits for the device.

    Args:
        grad: gradient of the output (B, Q, h * d).
        weights: attention (B, Q, h, L, P), or logits (B, Q, L * P, h) if fused.
        fused: whether the kernel computes the softmax.
    """
    samples = weights.shape[-2] * weights.shape[-1]
    share = 1.0 if fused else weights.abs().amax().double() * samples
    most = grad.shape[1] * share * grad.abs().amax().double()
    return 2.0**62 / most.clamp_min(1e-200)
