import pytest
import torch
from torch import Tensor

from tips.ops.heatmap import encode
from tips.ops.integral import integral, interval_points

HEIGHT, WIDTH = 12, 9


def gaussian(x: float, y: float, spread: float = 1.5, height: int = 24, width: int = 20) -> Tensor:
    rows = torch.arange(height, dtype=torch.float64)[:, None]
    columns = torch.arange(width, dtype=torch.float64)[None, :]
    return -((columns - x) ** 2 + (rows - y) ** 2) / (2 * spread**2)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (8, 11), (3, 7)])
def test_one_hot_logits_are_exact(x: int, y: int) -> None:
    logits = torch.full((HEIGHT, WIDTH), -1e4)
    logits[y, x] = 0.0
    assert torch.equal(integral(logits), torch.tensor([float(x), float(y)]))


def test_symmetric_map_gives_the_centre() -> None:
    assert torch.allclose(integral(torch.zeros(96, 72)), torch.tensor([35.5, 47.5]))
    half = torch.randn(96, 36, dtype=torch.float64)
    both = torch.cat([half, half.flip(-1)], dim=-1)
    assert integral(both)[0].item() == pytest.approx(35.5)


def test_shifting_the_map_shifts_the_coordinate() -> None:
    base = integral(gaussian(8.3, 10.6))
    moved = integral(gaussian(8.3 + 2.25, 10.6 - 1.5))
    assert base.tolist() == pytest.approx([8.3, 10.6], abs=1e-6)
    assert (moved - base).tolist() == pytest.approx([2.25, -1.5], abs=1e-6)


def test_a_constant_on_the_logits_changes_nothing() -> None:
    logits = torch.randn(2, 3, HEIGHT, WIDTH, dtype=torch.float64)
    assert torch.allclose(integral(logits), integral(logits + 100))
    assert torch.isfinite(integral(logits * 1e6)).all()


def test_leading_dimensions_are_kept() -> None:
    logits = torch.randn(2, 3, 4, HEIGHT, WIDTH)
    whole = integral(logits)
    assert whole.shape == (2, 3, 4, 2)
    assert torch.equal(whole[1, 2, 3], integral(logits[1, 2, 3]))


def test_low_precision_logits_are_integrated_in_float32() -> None:
    assert integral(torch.randn(HEIGHT, WIDTH).bfloat16()).dtype == torch.float32
    assert integral(torch.randn(HEIGHT, WIDTH).double()).dtype == torch.float64


def test_gradient() -> None:
    logits = torch.randn(2, 5, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(integral, logits)


@pytest.mark.parametrize(("temperature", "error"), [(1.0, 30.1), (0.2, 23.2), (0.1, 1.4)])
def test_a_heat_map_read_as_logits_gives_the_centre(temperature: float, error: float) -> None:
    """Why C has heads of its own: Eq. 3 on a Gaussian of peak 1 is 30 px off."""
    joint = torch.tensor([[15.0, 25.0]])
    heat = torch.from_numpy(encode(joint.numpy(), torch.ones(1).numpy(), 96, 72))
    apart = (integral(heat.double() / temperature)[0] - joint[0]).norm().item()
    assert apart == pytest.approx(error, abs=0.05)


def test_times_of_the_points() -> None:
    assert interval_points([(1.5, 0.5), (1.0, 1.0), (0.5, 1.5)]) == [0.25, 0.5, 0.75]
