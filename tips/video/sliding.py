"""Keeps the few frames around a moving frame t in memory, whatever the length of the video."""

from collections.abc import Iterator, Sequence

from tips.interim.generator import InterimGenerator, interpolate
from tips.ops.image import Image


class SlidingFrames:
    """Frames and interim frames of a window that only moves forward.

    It holds the |W| frames of the window. If interim frames are made of them, it also holds one
    more frame on either side, which a generator looks at, and the |W| - 1 interim frames once they
    have been asked for.

    Args:
        frames: frames of the video, (H, W, 3) RGB, from the first on.
        count: number of frames of the video.
        window: offsets of the window's frames from t; consecutive, 0 among them.
        generator: makes interim frames; None if no window needs them.
    """

    def __init__(
        self,
        frames: Iterator[Image],
        count: int,
        window: Sequence[int],
        generator: InterimGenerator | None,
    ) -> None:
        self.count = count
        self._unread = frames
        self._generator = generator
        self._first, self._last = window[0], window[-1]
        self._margin = 0 if generator is None else 1
        self._frames: dict[int, Image] = {}
        self._between: dict[int, Image] = {}
        self._next = 0

    def move_to(self, t: int) -> None:
        """Moves the window to frame t; frames before the window are dropped."""
        _forget(self._frames, t + self._first - self._margin)
        _forget(self._between, t + self._first)
        end = min(t + self._last + self._margin, self.count - 1)
        while self._next <= end:
            self._frames[self._next] = next(self._unread)
            self._next += 1

    def frame(self, sequence: str, frame: int) -> Image:
        """Gives one frame of the window, as a frame store does; the sequence is not read."""
        return self._frames[frame]

    def interim(self, sequence: str, frame: int) -> Image:
        """Gives the interim frame between `frame` and the next one, as a frame store does."""
        assert self._generator is not None
        if frame not in self._between:
            read = self._frames.__getitem__
            self._between[frame] = interpolate(self._generator, read, frame, self.count)
        return self._between[frame]


def _forget(images: dict[int, Image], before: int) -> None:
    for number in [number for number in images if number < before]:
        del images[number]
