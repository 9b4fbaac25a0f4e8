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
    groups: int = 1,
) -> list[Tensor]:
    draw = torch.Generator().manual_seed(int(10 * reach) + kernel)
    taps = kernel * kernel

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=dtype, generator=draw)

    return [
        normal(2, 4, *size),
        reach * normal(2, groups * 2 * taps, *size),
        normal(3, 4, kernel, kernel) / kernel,
        torch.rand((2, groups * taps, *size), dtype=dtype, generator=draw),
    ]


@pytest.mark.parametrize("reach", [0.0, 0.7, 20.0])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_values_and_gradients_equal_torchvision(reach: float, kernel: int) -> None:
    compare(inputs(reach, kernel), kernel=kernel)


@pytest.mark.parametrize("dilation", [2, 3, 24])
@pytest.mark.parametrize("groups", [1, 2, 4])  # 4: a group per channel
def test_dilation_and_offset_groups_equal_torchvision(dilation: int, groups: int) -> None:
    compare(inputs(0.7, groups=groups), dilation=dilation)
    compare(inputs(20.0, kernel=5, groups=groups), kernel=5, dilation=dilation)


def test_a_mask_of_ones_is_no_mask() -> None:
    x, offset, weight, mask = inputs(0.7, groups=4)
    found = deform_conv(x, offset, weight, torch.ones_like(mask), 3)
    expected = deform_conv2d(x, offset, weight, padding=3, dilation=3)
    assert torch.allclose(found, expected, atol=TOLERANCE)


def compare(tensors: list[Tensor], kernel: int = 3, dilation: int = 1) -> None:
    """Compares values and gradients with torchvision's."""
    ours = [tensor.requires_grad_() for tensor in tensors]
    theirs = [tensor.detach().clone().requires_grad_() for tensor in ours]
    x, offset, weight, mask = theirs
    found = deform_conv(*ours, dilation)
    expected = deform_conv2d(
        x, offset, weight, padding=dilation * (kernel // 2), dilation=dilation, mask=mask
    )
    assert torch.allclose(found, expected, atol=TOLERANCE)
    slope = torch.randn_like(found)
    found.backward(slope)
    expected.backward(slope)
    # At offsets of exactly 0 bilinear interpolation has a kink, and each side is a subgradient.
    for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        assert a.grad is not None
        if i == 1 and not offset.any():
            continue
        assert torch.allclose(a.grad, b.grad, atol=TOLERANCE, rtol=TOLERANCE)


def test_without_offsets_it_is_a_convolution() -> None:
    x, offset, weight, mask = inputs(0.0)
    found = deform_conv(x, offset, weight, torch.ones_like(mask))
    assert torch.allclose(found, nnf.conv2d(x, weight, padding=1), atol=TOLERANCE)


def test_gradients_in_double() -> None:
    tensors = [t.requires_grad_() for t in inputs(0.7, size=(3, 4), dtype=torch.float64)]
    assert torch.autograd.gradcheck(deform_conv, tensors)
