"""Samples -> batches, loaded by this process or by worker processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from tips.config import Augmentation
from tips.data.augment import draw
from tips.data.windows import Sample, WindowSet, collate
from tips.instances import Key


class AugmentedWindows(Dataset[Sample]):
    """Augmented windows, indexed by (epoch, sample).

    The pair and the seed determine the augmentation, so a resumed run draws the same one again.

    Args:
        windows: cuts a window out of the frames.
        keys: the person that each sample number stands for.
        settings: ranges and probabilities of the augmentation.
        seed: seed of the training.
    """

    def __init__(
        self, windows: WindowSet, keys: Sequence[Key], settings: Augmentation, seed: int
    ) -> None:
        self.windows, self.keys, self.settings, self.seed = windows, keys, settings, seed

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """Cuts one augmented window."""
        epoch, sample = position
        rng = np.random.default_rng((self.seed, epoch, sample))
        return self.windows(self.keys[sample], draw(self.settings, rng))


def load_batches(
    dataset: Dataset[Any],
    order: Iterator[list[tuple[int, int]]],
    workers: int,
    stack: Callable[[Sequence[Any]], Any] = collate,
) -> Iterable[Any]:
    """Loads batches in order.

    Args:
        dataset: gives one sample for each (epoch, sample).
        order: the batches, each a list of (epoch, sample).
        workers: number of worker processes; 0 loads in this process.
        stack: makes one batch of a list of samples.

    Returns:
        The batches, one after the other.
    """
    return DataLoader(dataset, batch_sampler=list(order), num_workers=workers, collate_fn=stack)
