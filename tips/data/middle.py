"""Four frames and the true one in their middle: what an interpolator learns from."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, default_collate

from tips.data.frames import FrameStore
from tips.records import Annotations

EVERY_SECOND = (-3, -1, 1, 3)  # frames 1, 3, 5, 7 of a septuplet around its fourth
NEIGHBOURS = (-1, 0, 1, 2)  # frames around the one between w and w + 1


class Middle(NamedTuple):
    """One sample, or a batch with an axis in front; RGB in [0, 1]."""

    frames: Float[Tensor, "*B 4 3 h w"]
    truth: Float[Tensor, "*B 3 h w"]


class MiddleFrames(Dataset[Middle]):
    """Square cuts of four frames and the true one half-way between the inner two.

    Args:
        frames: of the split.
        truth: the true frames between w and w + 1; without them every second frame of the clip
            is left out and learned from its neighbours.
        annotations: of the split.
        crop: side of the cut, px; smaller where a frame is.
        seed: with epoch and sample it fixes cut, mirroring and direction of time.
    """

    def __init__(
        self,
        frames: FrameStore,
        truth: FrameStore | None,
        annotations: Annotations,
        crop: int,
        seed: int,
    ) -> None:
        self.frames, self.truth, self.crop, self.seed = frames, truth, crop, seed
        self.offsets = EVERY_SECOND if truth is None else NEIGHBOURS
        self.places = [
            (sequence.name, position)
            for sequence in annotations.sequences
            for position in range(-self.offsets[0], len(sequence.frames) - self.offsets[-1])
        ]

    def __len__(self) -> int:
        """How many middles there are; ends of clips, which lack a neighbour, are none."""
        return len(self.places)

    def __getitem__(self, position: tuple[int, int]) -> Middle:
        """Cuts one sample out, by (epoch, sample)."""
        epoch, sample = position
        name, k = self.places[sample]
        rng = np.random.default_rng((self.seed, epoch, sample))
        four = [self.frames(name, k + offset) for offset in self.offsets]
        middle = self.frames(name, k) if self.truth is None else self.truth(name, k)
        five = self._cut(np.stack([*four, middle]), rng)
        earlier_first = rng.random() < 0.5
        order = (0, 1, 2, 3) if earlier_first else (3, 2, 1, 0)
        return Middle(five[list(order)], five[4])

    def _cut(self, five: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
        height, width = five.shape[1:3]
        rows, columns = min(self.crop, height), min(self.crop, width)
        top = rng.integers(height - rows + 1)
        left = rng.integers(width - columns + 1)
        cut = five[:, top : top + rows, left : left + columns]
        for axis in (1, 2):
            cut = np.flip(cut, axis) if rng.random() < 0.5 else cut
        pixels = torch.from_numpy(np.ascontiguousarray(cut))
        return pixels.permute(0, 3, 1, 2).float().div(255)


def stack_middles(samples: Sequence[Middle]) -> Middle:
    """Makes a batch of samples."""
    stacked: Middle = default_collate(list(samples))
    return stacked
