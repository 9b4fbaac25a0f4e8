import torch
from torch import Tensor

from tips.ops.adacof import adacof

TAPS = 25


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


def test_equals_the_scalar_loop() -> None:
    image, *maps = case()
    assert torch.allclose(adacof(image, *maps), scalar(image, *maps), rtol=0, atol=1e-12)


def test_negative_moves_extrapolate_as_published() -> None:
    """Floor would interpolate; truncation reads the other side with a negative fraction."""
    image = torch.arange(64, dtype=torch.float64).view(1, 1, 8, 8) ** 2
    still = torch.zeros(1, TAPS, 4, 4, dtype=torch.float64)
    centre = still.clone()
    centre[:, 12] = 1
    found = adacof(image, centre, still, still - 0.5)
    here, right = image[..., 2:6, 2:6], image[..., 2:6, 3:7]
    assert torch.equal(found, 1.5 * here - 0.5 * right)


def test_gradients_are_those_of_the_formula() -> None:
    image, *maps = case(height=1, width=2, channels=1)
    maps = [one.requires_grad_() for one in maps]
    assert torch.autograd.gradcheck(lambda *given: adacof(image, *given), maps)
