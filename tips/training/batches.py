"""Samples -> batches, in this process or in workers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset

from tips.config import Augmentation
from tips.data.augment import draw
from tips.data.windows import Sample, WindowSet, collate
from tips.instances import Key


class AugmentedWindows(Dataset[Sample]):
    """Windows by (epoch, sample); the pair and the seed fix the augmentation."""

    def __init__(
        self, windows: WindowSet, keys: Sequence[Key], settings: Augmentation, seed: int
    ) -> None:
        self.windows, self.keys, self.settings, self.seed = windows, keys, settings, seed

    def __getitem__(self, position: tuple[int, int]) -> Sample:
        """Builds one augmented window."""
        epoch, sample = position
        rng = np.random.default_rng((self.seed, epoch, sample))
        return self.windows(self.keys[sample], draw(self.settings, rng))


def load_batches(
    dataset: Dataset[Any],
    order: Iterator[list[tuple[int, int]]],
    workers: int,
    stack: Callable[[Sequence[Any]], Any] = collate,
) -> Iterable[Any]:
    """Loads batches in order, with worker processes if asked for."""
    return DataLoader(dataset, batch_sampler=list(order), num_workers=workers, collate_fn=stack)
