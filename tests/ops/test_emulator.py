"""The CUDA kernels' text on a launch-grid emulator: no GPU is needed."""

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from attention_cases import Case, case, gradient
from torch import Tensor

from tips.ops.deform_attn import reference, reference_fused
from tips.ops.native import SOURCES, fixed_point_scale

BARRIER = "__syncthreads();"
TEXT = (SOURCES / "deform_attn.cuh").read_text(encoding="utf-8")


def compile_emulator(folder: Path, text: str = TEXT) -> ctypes.CDLL:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no compiler")
    folder.mkdir(exist_ok=True)
    for name in ("emulate.cpp", "emulator.h", "taps.h"):
        shutil.copy(SOURCES / name, folder)
    (folder / "deform_attn.cuh").write_text(text, encoding="utf-8")
    library = folder / "emulator.so"
    flags = ["-std=c++20", "-O1", "-fPIC", "-shared", "-Wall", "-Werror", "-Wno-unknown-pragmas"]
    subprocess.run([compiler, *flags, "emulate.cpp", "-o", str(library)], check=True, cwd=folder)
    return ctypes.CDLL(str(library))


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return compile_emulator(tmp_path_factory.mktemp("emulator"))


def emulate(
    library: ctypes.CDLL,
    given: Case,
    grad: Tensor,
    *,
    fused: bool = False,
    seed: int = 0,
    scale: float = 0.0,
) -> list[Tensor]:
    """Output and gradients; RuntimeError where only some threads reach a barrier."""
    at, weights = (given.moves, given.logits) if fused else (given.locations, given.weights)
    batch, cells, heads, width = given.value.shape
    queries, levels, points = at.shape[1], at.shape[3], at.shape[4]
    sizes = torch.tensor([batch, cells, heads, width, queries, levels, points])
    shapes = torch.tensor(given.shapes)

    def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
        return ctypes.c_void_p(None if tensor is None else tensor.data_ptr())

    kind = {torch.float32: "float", torch.float64: "double"}[given.value.dtype]
    centres = given.centres if fused else None
    inputs = [pointer(t) for t in (sizes, shapes, given.value, centres, at, weights)]
    out = torch.full((batch, queries, heads * width), float("nan"), dtype=given.value.dtype)
    grads = [torch.full_like(tensor, float("nan")) for tensor in (given.value, at, weights)]
    turn = ctypes.c_uint(seed)
    forward = getattr(library, f"forward_{kind}")
    backward = getattr(library, f"backward_{kind}")
    failed = forward(*inputs, turn, pointer(out))
    failed += backward(
        *inputs, pointer(grad), turn, ctypes.c_double(scale), *(pointer(t) for t in grads)
    )
    if failed:
        raise RuntimeError("a barrier that only some threads of a block reach")
    return [out, *grads]


def expected(given: Case, grad: Tensor, *, fused: bool = False) -> list[Tensor]:
    picked = (given.moves, given.logits) if fused else (given.locations, given.weights)
    leaves = [t.clone().requires_grad_() for t in (given.value, *picked)]
    if fused:
        out = reference_fused(leaves[0], given.shapes, given.centres, *leaves[1:])
    else:
        out = reference(leaves[0], given.shapes, *leaves[1:])
    return [out.detach(), *torch.autograd.grad(out, leaves, grad)]


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("width", [1, 2, 3, 8, 16, 33, 64])
def test_values_and_gradients_equal_the_reference(
    emulator: ctypes.CDLL, width: int, dtype: torch.dtype, fused: bool
) -> None:
    given = case(width, dtype=dtype)
    grad = gradient(given)
    found = emulate(emulator, given, grad, fused=fused)
    tolerance = 1e-12 if dtype == torch.float64 else 2e-4
    for a, b in zip(found, expected(given, grad, fused=fused), strict=True):
        assert torch.allclose(a, b, atol=tolerance, rtol=tolerance)


def test_many_samples_and_one_level(emulator: ctypes.CDLL) -> None:
    for given in (
        case(4, [(9, 7), (5, 3), (2, 2)], heads=1, points=8),
        case(16, [(6, 8)], points=4),
    ):
        grad = gradient(given)
        for a, b in zip(emulate(emulator, given, grad), expected(given, grad), strict=True):
            assert torch.allclose(a, b, atol=1e-12)


def test_only_the_gradient_of_the_values_depends_on_the_order(emulator: ctypes.CDLL) -> None:
    given = case(16, queries=40, dtype=torch.float32)
    grad = gradient(given)
    first, *others = (emulate(emulator, given, grad, seed=seed) for seed in range(4))
    for other in others:
        same = [torch.equal(a, b) for a, b in zip(first, other, strict=True)]
        assert same == [True, False, True, True]


def test_fixed_point_sums_depend_on_no_order(emulator: ctypes.CDLL) -> None:
    given = case(16, queries=40, dtype=torch.float32)
    grad = gradient(given)
    runs = [emulate(emulator, given, grad, seed=seed, scale=2.0**45) for seed in range(4)]
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], run, strict=True))
    assert torch.allclose(runs[0][1], expected(given, grad)[1], atol=1e-5)


@pytest.mark.parametrize("fused", [False, True])
def test_the_chosen_scale_neither_overflows_nor_loses_bits(
    emulator: ctypes.CDLL, fused: bool
) -> None:
    given = case(8, queries=40)
    grad = gradient(given)
    for size in (1e-30, 1.0, 1e30):
        weights = given.logits if fused else given.weights
        scale = fixed_point_scale(grad * size, weights, fused=fused).item()
        found = emulate(emulator, given, grad * size, fused=fused, scale=scale)[1]
        wanted = expected(given, grad * size, fused=fused)[1]
        assert torch.allclose(found / size, wanted / size, atol=1e-12)


def test_a_nan_gradient_shows_in_fixed_point_too(emulator: ctypes.CDLL) -> None:
    given = case(8)
    grad = gradient(given)
    grad[0, 0, 0] = float("nan")
    scale = fixed_point_scale(grad, given.weights, fused=False)
    assert (torch.ones(3, dtype=torch.float64) / scale).isnan().all()


@pytest.mark.parametrize("barrier", range(TEXT.count(BARRIER)))
def test_a_missing_barrier_is_caught(barrier: int, tmp_path: Path) -> None:
    parts = TEXT.split(BARRIER)
    text = BARRIER.join(parts[: barrier + 1]) + BARRIER.join(parts[barrier + 1 :])
    assert text.count(BARRIER) == TEXT.count(BARRIER) - 1
    library = compile_emulator(tmp_path, text)
    given = case(16)
    grad = gradient(given)
    assert not any(agrees(library, given, grad, seed) for seed in range(3))


def agrees(library: ctypes.CDLL, given: Case, grad: Tensor, seed: int) -> bool:
    try:
        found = emulate(library, given, grad, seed=seed)
    except RuntimeError:
        return False
    pairs = zip(found, expected(given, grad), strict=True)
    return all(torch.allclose(a, b, atol=1e-12) for a, b in pairs)
