import numpy as np
import pytest

from tips.ops.image import psnr


def test_psnr_closed_form() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    assert psnr(image, image + 1) == pytest.approx(20 * np.log10(255))
    assert psnr(image, image + np.uint8(255)) == pytest.approx(0)
    assert psnr(image, image) == float("inf")


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="one shape"):
        psnr(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))
