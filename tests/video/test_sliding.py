import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from tips.data.windows import positions
from tips.interim.average.generator import Average
from tips.interim.flow.generator import Flow
from tips.interim.generator import InterimGenerator, interpolate_clip
from tips.video.sliding import SlidingFrames

WINDOWS = [(-2, -1, 0, 1, 2), (-1, 0, 1), (0, 1), (-3, -2, -1, 0), (0,)]


def pictures(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(count)
    return [rng.integers(0, 255, (24, 32, 3)).astype(np.uint8) for _ in range(count)]


class Outer:
    """Says which four frames it was given, by their first pixel."""

    def __call__(self, *four: np.ndarray) -> np.ndarray:
        return np.stack([image[0, 0] for image in four])


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("generator", [Average(), Flow(), Outer()], ids=lambda g: type(g).__name__)
def test_every_window_is_the_clip_s_own(
    window: tuple[int, ...], count: int, generator: InterimGenerator
) -> None:
    frames = pictures(count)
    between = list(interpolate_clip(generator, frames.__getitem__, count))
    sliding = SlidingFrames(iter(frames), count, window, generator)
    for t in range(count):
        sliding.move_to(t)
        wanted = positions(t, count, window)
        for number in wanted:
            assert sliding.frame("any", number) is frames[number]
        for left in {*wanted[:-1]} - {wanted[-1]}:
            np.testing.assert_array_equal(sliding.interim("any", left), between[left])


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("generator", [None, Average()])
def test_the_number_of_frames_held_does_not_grow(
    window: tuple[int, ...], generator: InterimGenerator | None
) -> None:
    def most(count: int) -> int:
        alive = highest = 0

        def gone() -> None:
            nonlocal alive
            alive -= 1

        def frames() -> Iterator[np.ndarray]:
            nonlocal alive, highest
            for _ in range(count):
                image = np.zeros((4, 4, 3), np.uint8)
                weakref.finalize(image, gone)
                alive += 1
                highest = max(highest, alive)
                yield image
                del image

        sliding = SlidingFrames(frames(), count, window, generator)
        for t in range(count):
            sliding.move_to(t)
        return highest

    # The frames of the window, and `before` and `after` of its interim frames.
    assert most(200) == most(20) == len(window) + (0 if generator is None else 2)
