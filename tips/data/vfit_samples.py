"""Samples that VFIT learns from: four frames and a target, the frame half-way between two of them.

The target is a true in-between frame where a renderer knows one. Elsewhere it is a frame of the
clip itself: every second frame is then an input, and the one left out between them is the target.
"""

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

EVERY_SECOND = (-3, -1, 1, 3)  # inputs relative to the target, a frame of the clip itself
NEIGHBOURS = (-1, 0, 1, 2)  # inputs relative to w, if the target lies between w and w + 1


class Middle(NamedTuple):
    """One sample, or a batch with one more axis in front; RGB in [0, 1]."""

    frames: Float[Tensor, "*B 4 3 h w"]
    truth: Float[Tensor, "*B 3 h w"]  # the target


class MiddleFrames(Dataset[Middle]):
    """Square cuts of four frames and of the target half-way between the inner two.

    Args:
        frames: frames of the split.
        truth: true in-between frames of the split; None: the target is a frame of the clip, and
            its inputs are every second frame around it.
        annotations: annotations of the split, which name its sequences.
        crop: side of the cut, image px; the frame's own side if that is smaller.
        seed: determines, with epoch and sample, the cut, mirroring and direction of time.
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
        """Counts the targets; frames at a clip's ends, which lack an input, are none."""
        return len(self.places)

    def __getitem__(self, position: tuple[int, int]) -> Middle:
        """Cuts out the sample of an (epoch, sample)."""
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
    """Stacks samples to a batch."""
    stacked: Middle = default_collate(list(samples))
    return stacked
