import pytest
import torch
import torch.nn.functional as nnf
from torch import Tensor
from torchvision.ops import deform_conv2d

from tips.ops.deform_conv import deform_conv

TOLERANCE = 3e-5


def inputs(
    reach: float,
    kernel: int = 3,
    size: tuple[int, int] = (7, 5),
    dtype: torch.dtype = torch.float32,
) -> list[Tensor]:
    draw = torch.Generator().manual_seed(int(10 * reach) + kernel)
    taps = kernel * kernel

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=dtype, generator=draw)

    return [
        normal(2, 4, *size),
        reach * normal(2, 2 * taps, *size),
        normal(3, 4, kernel, kernel) / kernel,
        torch.rand((2, taps, *size), dtype=dtype, generator=draw),
    ]


@pytest.mark.parametrize("reach", [0.0, 0.7, 20.0])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_values_and_gradients_equal_torchvision(reach: float, kernel: int) -> None:
    ours = [tensor.requires_grad_() for tensor in inputs(reach, kernel)]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    found = deform_conv(*ours)
    x, offset, weight, mask = theirs
    expected = deform_conv2d(x, offset, weight, padding=kernel // 2, mask=mask)
    assert torch.allclose(found, expected, atol=TOLERANCE)
    slope = torch.randn_like(found)
    found.backward(slope)
    expected.backward(slope)
    # At offsets of exactly 0 bilinear interpolation has a kink, and each side is a subgradient.
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.grad is not None
        if i == 1 and not reach:
            continue
        assert torch.allclose(a.grad, b.grad, atol=TOLERANCE, rtol=TOLERANCE)


def test_without_offsets_it_is_a_convolution() -> None:
    x, offset, weight, mask = inputs(0.0)
    found = deform_conv(x, offset, weight, torch.ones_like(mask))
    assert torch.allclose(found, nnf.conv2d(x, weight, padding=1), atol=TOLERANCE)


def test_gradients_in_double() -> None:
    tensors = [t.requires_grad_() for t in inputs(0.7, size=(3, 4), dtype=torch.float64)]
    assert torch.autograd.gradcheck(deform_conv, tensors)
