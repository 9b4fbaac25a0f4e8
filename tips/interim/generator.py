"""The interface of interim generators, and how one runs along a clip."""

import functools
from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class InterimGenerator(Protocol):
    """Makes the interim frame I_{w,w+1} of Eq. 1 from four full frames."""

    # Paper: interpolates crops; here: full frames, once per clip, because VFIT then comes nearer
    # to the true frames on the very crops (30.67 instead of 29.73 dB) and all seeds share them.
    # Paper: VFIT makes the frame between two frames; here: from four, as published, so that the
    # interim frames at a window's ends look one frame beyond it: a window of five sees up to seven
    # frames, because without the outer two VFIT would need the ends repeated in every window.
    def __call__(
        self,
        before: NDArray[np.uint8],
        left: NDArray[np.uint8],
        right: NDArray[np.uint8],
        after: NDArray[np.uint8],
    ) -> NDArray[np.uint8]:
        """Makes the interim frame half-way between `left` and `right`.

        Args:
            before: I_{w-1} (H, W, 3) RGB; the first frame is repeated at a clip's start.
            left: I_w.
            right: I_{w+1}.
            after: I_{w+2}; the last frame is repeated at a clip's end.

        Returns:
            I_{w,w+1} (H, W, 3) RGB.
        """
        ...


def interpolate_clip(
    generator: InterimGenerator, frame: Callable[[int], NDArray[np.uint8]], count: int
) -> Iterator[NDArray[np.uint8]]:
    """Yields the count - 1 interim frames of a clip of `count` frames.

    Args:
        generator: makes each of them.
        frame: gives frame k (H, W, 3) RGB of the clip.
        count: number of frames of the clip.
    """
    get = functools.lru_cache(4)(frame)
    for w in range(count - 1):
        yield interpolate(generator, get, w, count)


def interpolate(
    generator: InterimGenerator, frame: Callable[[int], NDArray[np.uint8]], w: int, count: int
) -> NDArray[np.uint8]:
    """Makes one interim frame of a clip.

    At the clip's ends the first or the last frame also stands for the missing outer neighbour.

    Args:
        generator: makes it.
        frame: gives frame k (H, W, 3) RGB of the clip.
        w: position of the left neighbour, 0 to count - 2.
        count: number of frames of the clip.

    Returns:
        I_{w,w+1} (H, W, 3) RGB.
    """
    return generator(frame(max(w - 1, 0)), frame(w), frame(w + 1), frame(min(w + 2, count - 1)))
