"""Interim frames as the mean of both neighbours: the weakest generator."""

import cv2
import numpy as np
from numpy.typing import NDArray


class Average:
    """(I_w + I_{w+1}) / 2, rounded. Arguments are those of `InterimGenerator`."""

    def __call__(
        self,
        before: NDArray[np.uint8],
        left: NDArray[np.uint8],
        right: NDArray[np.uint8],
        after: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Makes the interim frame.

        Args:
            before: not used.
            left: I_w (H, W, 3) RGB.
            right: I_{w+1} (H, W, 3) RGB.
            after: not used.
        """
        return np.asarray(cv2.addWeighted(left, 0.5, right, 0.5, 0.0), np.uint8)


def build(settings: object = None, device: object = None) -> Average:
    """Builds the generator, which has no settings and runs on the CPU."""
    return Average()
