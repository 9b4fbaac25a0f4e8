"""The compiled op against the reference. Skipped only where there is no compiler at all."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from attention_cases import Form, case, fused, plain, results, worst
from torch import Tensor

from tips.config import ConfigError
from tips.ops import deform_attn as ops
from tips.ops import native
from tips.ops.deform_attn import reference

WIDTHS = [1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 31, 32, 33, 48, 63, 64, 65, 130]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}


pytestmark = pytest.mark.usefixtures("built")


@pytest.mark.parametrize("form", [plain, fused])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("width", WIDTHS)
def test_values_and_gradients_equal_the_reference(
    width: int, dtype: torch.dtype, form: Form
) -> None:
    ours, theirs, given = form(case(width, dtype=dtype))
    grad = torch.randn(2, 7, 3 * width, dtype=dtype)
    assert worst(results(ours, given, grad), results(theirs, given, grad)) < TOLERANCE[dtype]


@pytest.mark.parametrize("form", [plain, fused])
@pytest.mark.parametrize("shapes", [[(4, 6)], [(9, 7), (5, 3), (1, 1)]])
def test_levels_and_many_queries(shapes: list[tuple[int, int]], form: Form) -> None:
    ours, theirs, given = form(case(16, shapes, queries=150, points=4))
    grad = torch.randn(2, 150, 48, dtype=torch.float64)
    assert worst(results(ours, given, grad), results(theirs, given, grad)) < 1e-12


def test_exact_borders_and_pixel_centres() -> None:
    given = case(4, [(3, 4)], queries=9, heads=1, points=2)
    edges = torch.tensor([-0.5, 0.0, 0.5, 3.0, 3.5, 4.0, -1.0, 100.0, -100.0])
    pixels = torch.stack([edges, edges], -1).double()
    locations = ((pixels + 0.5) / torch.tensor([4.0, 3.0]))[None, :, None, None, None]
    locations = locations.expand(2, 9, 1, 1, 2, 2)
    found = ops.deform_attn(given.value, given.shapes, locations, given.weights)
    expected = reference(given.value, given.shapes, locations, given.weights)
    assert torch.allclose(found, expected, atol=1e-12)


def test_all_samples_outside_give_zero_and_no_gradient() -> None:
    ours, _, (value, locations, weights) = plain(case(8))
    grad = torch.ones(2, 7, 24, dtype=torch.float64)
    for found in results(ours, [value, locations + 50, weights], grad):
        assert not found.any()


def test_empty_batch_and_no_queries() -> None:
    for sizes in ({"batch": 0}, {"queries": 0}):
        ours, _, given = plain(case(8, **sizes))
        leaves = [tensor.requires_grad_() for tensor in given]
        out = ours(*leaves)
        assert out.shape == (sizes.get("batch", 2), sizes.get("queries", 7), 24)
        out.sum().backward()
        assert not any(leaf.grad.any() for leaf in leaves if leaf.grad is not None)


@pytest.mark.parametrize("form", [plain, fused])
def test_strides_do_not_matter(form: Form) -> None:
    ours, _, given = form(case(8))
    strided = [tensor.transpose(0, -1).contiguous().transpose(0, -1) for tensor in given]
    assert not any(tensor.is_contiguous() for tensor in strided)
    assert torch.equal(ours(*strided), ours(*given))


@pytest.mark.parametrize("form", [plain, fused])
def test_gradients_in_double(form: Form) -> None:
    ours, _, given = form(case(3, queries=3, heads=2))
    assert torch.autograd.gradcheck(ours, [tensor.requires_grad_() for tensor in given])


def test_a_second_derivative_is_refused() -> None:
    ours, _, given = plain(case(4))
    leaves = [tensor.requires_grad_() for tensor in given]
    first = torch.autograd.grad(ours(*leaves).sum(), leaves, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative"):
        first[0].sum().backward()


@pytest.mark.parametrize("form", [plain, fused])
def test_bits_depend_neither_on_threads_nor_on_the_run(form: Form) -> None:
    ours, _, given = form(case(16, [(12, 9)], queries=400, dtype=torch.float32))
    grad = torch.randn(2, 400, 48)
    found = []
    for threads in (1, 2, 3, 1):
        torch.set_num_threads(threads)
        found.append(results(ours, given, grad))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_nan_shows() -> None:
    ours, _, (value, locations, weights) = plain(case(8))
    locations[1, 2, 0, 0, 0, 1] = float("nan")
    found = ours(value, locations, weights)
    assert found[1, 2, :8].isnan().all()
    assert found.isnan().sum() == 8


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_values_with_float_locations(half: torch.dtype) -> None:
    given = case(8, dtype=torch.float32)
    short = given.value.to(half)
    found = ops.deform_attn(short, given.shapes, given.locations, given.weights)
    assert found.dtype == half
    expected = reference(short.float(), given.shapes, given.locations, given.weights)
    assert torch.equal(found, expected.to(half)) or (found - expected).abs().max() < 0.02


def flat(shapes: list[tuple[int, int]]) -> list[int]:
    return [size for shape in shapes for size in shape]


def test_autocast_computes_in_float() -> None:
    given = case(8, dtype=torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.ops.tips.deform_attn(
            given.value.bfloat16(), flat(given.shapes), given.locations, given.weights, None
        )
    assert found.dtype == torch.float32


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # of opcheck's own making
def test_torchs_own_checks_of_an_operator() -> None:
    given = case(5)
    for centres, at, weights in (
        (None, given.locations, given.weights),
        (given.centres, given.moves, given.logits),
    ):
        reals = [tensor.clone().requires_grad_() for tensor in (given.value, at, weights)]
        arguments = (reals[0], flat(given.shapes), reals[1], reals[2], centres)
        torch.library.opcheck(torch.ops.tips.deform_attn.default, arguments)
        grad = torch.randn(2, 7, 15, dtype=torch.float64)
        detached = (given.value, flat(given.shapes), at, weights, centres, None)
        torch.library.opcheck(
            torch.ops.tips.deform_attn_backward.default,
            (grad, *detached),
            test_utils=("test_schema", "test_faketensor"),
        )


class Attend(torch.nn.Module):
    def forward(self, value: Tensor, moves: Tensor, logits: Tensor, centres: Tensor) -> Tensor:
        return ops.deform_attn_fused(value, [(5, 4), (3, 2)], centres, moves, logits)


def test_export_with_a_dynamic_batch() -> None:
    given = case(8, dtype=torch.float32)
    arguments = (given.value, given.moves, given.logits, given.centres)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(
        Attend(), arguments, dynamic_shapes=({0: batch}, {0: batch}, {0: batch}, None)
    )
    other = case(8, batch=5, dtype=torch.float32)
    found = program.module()(other.value, other.moves, other.logits, other.centres)
    assert torch.equal(found, Attend()(other.value, other.moves, other.logits, other.centres))


# In a process of its own: the tests' runtime type checks are no code that torch can compile.
COMPILE = """
import torch
from tips.models.encoders.transformer.network import TransformerEncoder
from tips.ops.native import backend
assert backend() == "cpp"
torch.manual_seed(0)
encoder = TransformerEncoder(width=16, layers=1, heads=2, points=4, feedforward=32, dropout=0.0)
compiled = torch.compile(encoder, fullgraph=True, backend="aot_eager")
x = torch.randn(2, 16, 6, 5, requires_grad=True)
grad = torch.randn(2, 16, 6, 5)
for f in (encoder, compiled):
    out = f(x)
    found = [out, *torch.autograd.grad(out, [x, *encoder.parameters()], grad)]
    expected = found if f is encoder else expected
assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(found, expected))
"""


def test_an_encoder_compiles_as_one_graph() -> None:
    subprocess.run([sys.executable, "-c", COMPILE], check=True, cwd=native.SOURCES.parent)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"value": torch.zeros(2, 25, 3, 8)}, "the levels have 26 cells, value has 25"),
        ({"weights": torch.zeros(2, 7, 3, 2, 1)}, "weights must be"),
        ({"locations": torch.zeros(2, 7, 3, 2, 2)}, "locations must be"),
        ({"value": torch.zeros(2, 26, 4, 8)}, "differ in batch or heads"),
        ({"weights": torch.zeros(2, 7, 3, 2, 2, dtype=torch.float64)}, "dtype"),
        ({"shapes": [(5, 4)]}, "shapes must hold"),
        ({"shapes": [(5, 4), (-3, -2)]}, "must be positive"),
    ],
)
def test_bad_arguments_are_refused(change: dict, rule: str) -> None:
    given = case(8, dtype=torch.float32)._replace(**change)
    with pytest.raises(RuntimeError, match=rule):
        ops.deform_attn(given.value, given.shapes, given.locations, given.weights)


CHECK = """
import torch
from attention_cases import case
from tips.ops import native
native.load()
g = case(24, queries=60)
v, a, w = (t.requires_grad_() for t in (g.value, g.locations, g.weights))
from tips.ops.deform_attn import reference
flat = [n for s in g.shapes for n in s]
grad = torch.randn(2, 60, 72, dtype=torch.float64)
ours, theirs = torch.ops.tips.deform_attn(v, flat, a, w, None), reference(v, g.shapes, a, w)
pairs = [(ours, theirs), *zip(*(torch.autograd.grad(o, (v, a, w), grad) for o in (ours, theirs)))]
assert all((x - y).abs().max() < 1e-11 for x, y in pairs)
from tips.ops.adacof import reference as warped
image, *maps = (torch.randn(2, n, 9, 21, dtype=torch.float64) for n in (3, 9, 9, 9))
leaves = [m.requires_grad_() for m in maps]
outs = [f(image, *leaves) for f in (torch.ops.tips.adacof, warped)]
pairs = [outs, *zip(*(torch.autograd.grad(o.square().sum(), leaves) for o in outs))]
assert all((x - y).abs().max() < 1e-11 for x, y in pairs)
"""


@pytest.mark.parametrize("instructions", ["plain", "avx2"])
def test_older_processors_compute_the_same(
    instructions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIPS_INSTRUCTIONS", instructions)
    monkeypatch.setenv("PYTHONPATH", str(native.SOURCES.parent / "tests" / "ops"), prepend=":")
    subprocess.run([sys.executable, "-c", CHECK], check=True, cwd=native.SOURCES.parent)


def test_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.SETTING, "torch")
    assert native.load() == frozenset()
    monkeypatch.setenv(native.SETTING, "fast")
    with pytest.raises(ConfigError, match="must be auto, cpp or torch; got 'fast'"):
        native.load()


def test_a_library_of_other_sources_is_not_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(native.FLAGS, "cpu", (*native.FLAGS["cpu"], "-DOTHER"))
    native.library.cache_clear()
    try:
        assert native.load() == frozenset()
        monkeypatch.setenv(native.SETTING, "cpp")
        with pytest.raises(ConfigError, match="no kernel is built; run `make kernels`"):
            native.load()
    finally:
        native.library.cache_clear()


def test_a_library_s_files_are_found_by_what_they_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "SOURCES", tmp_path)
    (tmp_path / "op.cpp").write_text('#include "a.h"\nSTABLE_TORCH_LIBRARY(tips, m) {}\n')
    (tmp_path / "op.cu").write_text("#include <a.h>\nSTABLE_TORCH_LIBRARY_IMPL(tips, CUDA, m) {}\n")
    (tmp_path / "a.h").write_text('#  include "b.h"\n#include "elsewhere.h"\n')
    (tmp_path / "b.h").write_text('#include "a.h"\n')
    (tmp_path / "emulate.cpp").write_text('#include "c.h"\n')
    (tmp_path / "c.h").write_text("")
    assert [file.name for file in native.files("cpu")] == ["a.h", "b.h", "op.cpp"]
    assert [file.name for file in native.files("cuda")] == ["op.cu"]


def test_the_emulator_is_in_no_library() -> None:
    names = {kind: {file.name for file in native.files(kind)} for kind in native.KINDS}
    assert {"deform_attn.cpp", "adacof.cpp", "attention.h", "taps.h"} <= names["cpu"]
    assert {"deform_attn.cu", "deform_attn.cuh", "taps.h"} <= names["cuda"]
    assert "emulate.cpp" not in names["cpu"] | names["cuda"]
