"""The compiled CUDA kernels on a card, against pure torch in double on the CPU."""

from collections.abc import Callable

import pytest
import torch
from attention_cases import Form, case, fused, gradient, plain, results, worst
from torch import Tensor

from tips.ops import deform_attn as ops
from tips.ops.deform_attn import reference

TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-5}

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("built_for_cuda")]


def on_card(f: Callable[..., Tensor], given: list[Tensor], grad: Tensor) -> list[Tensor]:
    """Value and gradients, brought back."""
    return [one.cpu() for one in results(f, [tensor.cuda() for tensor in given], grad.cuda())]


@pytest.mark.parametrize("form", [plain, fused])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("width", [1, 2, 3, 8, 16, 33, 64])
def test_values_and_gradients_equal_the_reference(
    width: int, dtype: torch.dtype, form: Form
) -> None:
    for given in (case(width, dtype=dtype), case(width, [(9, 7), (5, 3), (1, 1)], queries=150)):
        ours, theirs, reals = form(given)
        grad = gradient(given)
        found = on_card(ours, reals, grad)
        assert worst(found, results(theirs, reals, grad)) < TOLERANCE[dtype]


@pytest.mark.parametrize("form", [plain, fused])
def test_the_paper_s_map(form: Form) -> None:
    given = case(8, [(96, 72)], batch=1, queries=96 * 72, heads=8, points=4, dtype=torch.float32)
    ours, theirs, reals = form(given)
    grad = gradient(given)
    assert worst(on_card(ours, reals, grad), results(theirs, reals, grad)) < 1e-4


@pytest.mark.usefixtures("restored_order")
@pytest.mark.parametrize("form", [plain, fused])
def test_bits_repeat_where_torch_is_told_to(form: Form) -> None:
    torch.use_deterministic_algorithms(mode=True)
    ours, theirs, reals = form(case(16, [(12, 9)], queries=4000, dtype=torch.float32))
    grad = torch.randn(2, 4000, 48)
    first, *others = (on_card(ours, reals, grad) for _ in range(5))
    for other in others:
        assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    assert worst(first, results(theirs, reals, grad)) < TOLERANCE[torch.float32]


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_values_with_float_locations(half: torch.dtype) -> None:
    given = case(8, dtype=torch.float32)
    short = given.value.to(half)
    at, weights = given.locations.cuda(), given.weights.cuda()
    found = ops.deform_attn(short.cuda(), given.shapes, at, weights).cpu()
    assert found.dtype == half
    expected = reference(short.float(), given.shapes, given.locations, given.weights)
    assert (found - expected).abs().max() < 4 * torch.finfo(half).eps


def test_it_waits_for_its_stream() -> None:
    """Its input is still being made when it is called, on a stream of its own."""
    given = case(16, [(64, 64)], queries=64, dtype=torch.float32)
    expected = reference(given.value, given.shapes, given.locations, given.weights)
    value, at, weights = (t.cuda() for t in (given.value, given.locations, given.weights))
    torch.cuda.synchronize()
    with torch.cuda.stream(torch.cuda.Stream()):
        torch.cuda._sleep(200_000_000)  # cycles; nobody else waits this long on this stream
        late = torch.empty_like(value).copy_(value)
        found = ops.deform_attn(late, given.shapes, at, weights).cpu()
    assert torch.allclose(found, expected, atol=1e-4)


def test_empty_batch_and_no_queries() -> None:
    for given in (case(8, batch=0), case(8, queries=0)):
        ours, _, reals = plain(given)
        leaves = [tensor.cuda().requires_grad_() for tensor in reals]
        out = ours(*leaves)
        assert out.shape == (*given.locations.shape[:2], 24)
        out.sum().backward()
        assert not any(leaf.grad.any() for leaf in leaves if leaf.grad is not None)


def test_sizes_that_no_block_holds_are_refused() -> None:
    ours, _, reals = plain(case(65))
    with pytest.raises(RuntimeError, match="head width must be 1 to 64; got 65"):
        ours(*(tensor.cuda() for tensor in reals))
