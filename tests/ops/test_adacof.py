from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tips.ops.adacof import adacof, reference

TAPS = 25
Form = Callable[..., Tensor]


@pytest.fixture
def compiled(built: None) -> Form:
    return adacof


@pytest.fixture(params=["reference", "compiled"])
def form(request: pytest.FixtureRequest) -> Form:
    if request.param == "reference":
        return reference
    found: Form = request.getfixturevalue("compiled")
    return found


def case(height: int = 5, width: int = 6, channels: int = 2) -> tuple[Tensor, ...]:
    draw = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    maps = [3 * normal(2, TAPS, height, width) for _ in range(3)]
    return normal(2, channels, height + 4, width + 4), *maps


def scalar(image: Tensor, weights: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The published kernel's formula, one number at a time; int() truncates toward zero as C."""
    batch, channels, bottom, right = image.shape
    _, taps, height, width = weights.shape
    out = torch.zeros(batch, channels, height, width, dtype=image.dtype)

    def pixel(b: int, c: int, y: int, x: int) -> float:
        return float(image[b, c, min(max(y, 0), bottom - 1), min(max(x, 0), right - 1)])

    for b, c, i, j, tap in torch.cartesian_prod(
        *(torch.arange(n) for n in (batch, channels, height, width, taps))
    ).tolist():
        alpha, beta = float(rows[b, tap, i, j]), float(columns[b, tap, i, j])
        down, along = int(alpha), int(beta)
        fa, fb = alpha - down, beta - along
        y, x = i + tap // 5 + down, j + tap % 5 + along
        out[b, c, i, j] += float(weights[b, tap, i, j]) * (
            (1 - fa) * (1 - fb) * pixel(b, c, y, x)
            + fa * (1 - fb) * pixel(b, c, y + 1, x)
            + (1 - fa) * fb * pixel(b, c, y, x + 1)
            + fa * fb * pixel(b, c, y + 1, x + 1)
        )
    return out


def test_equals_the_scalar_loop(form: Form) -> None:
    image, *maps = case()
    assert torch.allclose(form(image, *maps), scalar(image, *maps), rtol=0, atol=1e-12)


def test_negative_moves_extrapolate_as_published(form: Form) -> None:
    """Floor would interpolate; truncation reads the other side with a negative fraction."""
    image = torch.arange(64, dtype=torch.float64).view(1, 1, 8, 8) ** 2
    still = torch.zeros(1, TAPS, 4, 4, dtype=torch.float64)
    centre = still.clone()
    centre[:, 12] = 1
    found = form(image, centre, still, still - 0.5)
    here, right = image[..., 2:6, 2:6], image[..., 2:6, 3:7]
    assert torch.equal(found, 1.5 * here - 0.5 * right)


def test_gradients_are_those_of_the_formula(form: Form) -> None:
    image, *maps = case(height=1, width=2, channels=1)
    maps = [one.requires_grad_() for one in maps]
    assert torch.autograd.gradcheck(lambda *given: form(image, *given), maps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [(1, 1), (3, 70), (40, 17)])
def test_the_kernel_equals_the_reference(
    compiled: Form, size: tuple[int, int], dtype: torch.dtype
) -> None:
    given = [one.to(dtype) for one in case(*size, channels=3)]
    given[2][:, ::2] *= 100  # far outside
    image, *maps = given
    grad = torch.randn(2, 3, *size, dtype=dtype)
    found = []
    for call in (compiled, reference):
        leaves = [one.clone().requires_grad_() for one in maps]
        out = call(image, *leaves)
        found.append([out.detach(), *torch.autograd.grad(out, leaves, grad)])
    for ours, theirs in zip(*found, strict=True):
        close = 1e-12 if dtype is torch.float64 else 2e-4
        assert torch.allclose(ours, theirs, rtol=close, atol=close)
    assert torch.equal(compiled(image, *maps), found[0][0])


def test_the_kernel_shows_what_is_not_a_number(compiled: Form) -> None:
    image, weights, rows, columns = case()
    rows[1, 3, 2, 2] = float("nan")
    found = compiled(image, weights, rows, columns).isnan()
    assert found[1, :, 2, 2].all()
    assert found.sum() == found[1, :, 2, 2].sum()


def test_an_image_with_a_gradient_has_the_reference(compiled: Form) -> None:
    image, *maps = case(2, 2)
    compiled(image.requires_grad_(), *maps).sum().backward()
    assert image.grad is not None
    assert image.grad.any()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # of opcheck's own making
@pytest.mark.usefixtures("compiled")
def test_the_kernel_is_a_whole_op() -> None:
    image, *maps = case(2, 3)
    given = (image, *(one.requires_grad_() for one in maps))
    torch.library.opcheck(torch.ops.tips.adacof.default, given)
    plain = [one.detach() for one in given]
    torch.library.opcheck(
        torch.ops.tips.adacof_backward.default,
        (torch.randn(2, 2, 2, 3, dtype=torch.float64), *plain),
        test_utils=("test_schema", "test_faketensor"),
    )


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"image": torch.zeros(2, 9, 10)}, "image must be"),
        ({"image": torch.zeros(3, 2, 9, 10)}, "differ in batch"),
        ({"rows": torch.zeros(2, TAPS, 5, 7)}, "the shape of weights"),
        ({"columns": torch.zeros(2, TAPS, 5, 6, dtype=torch.float64)}, "one dtype"),
    ],
)
def test_bad_arguments_are_refused(compiled: Form, change: dict[str, Tensor], rule: str) -> None:
    image, *maps = (one.float() for one in case())
    given = dict(zip(("image", "weights", "rows", "columns"), (image, *maps), strict=True))
    with pytest.raises(RuntimeError, match=rule):
        compiled(**given | change)
