"""Samples -> batches, loaded by this process or by worker processes."""

import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch.utils.data import DataLoader, Dataset

from tips.config import Augmentation
from tips.data.augment import Draw, draw_sample
from tips.data.windows import Labels, Sample, WindowSet, collate
from tips.features.seen import SeenWindows
from tips.instances import Key
from tips.tensors import Seen
from tips.training.stopping import ASKING


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
        return self.windows(*self._drawn(position))

    def labels(self, positions: Sequence[tuple[int, int]]) -> Labels:
        """Computes what is known of augmented windows beside their pictures, stacked."""
        return self.windows.labels(*map(self._drawn, positions))

    def _drawn(self, position: tuple[int, int]) -> tuple[Key, Draw]:
        epoch, sample = position
        return self.keys[sample], draw_sample(self.settings, self.seed, epoch, sample)


class SeenSample(NamedTuple):
    """A batch of windows whose pictures the backbone has seen already."""

    seen: Seen
    labels: Labels  # stacked


def load_seen(
    windows: AugmentedWindows,
    seen: SeenWindows,
    rows: Mapping[tuple[int, int], int],
    order: Iterator[list[tuple[int, int]]],
) -> Iterator[SeenSample]:
    """Loads batches in order, their pictures from kept features.

    Args:
        windows: gives the labels of one sample for each (epoch, sample).
        seen: gives the features of a window by its number.
        rows: the number of the window of each (epoch, sample).
        order: the batches, each a list of (epoch, sample).
    """
    for batch in order:
        yield SeenSample(seen([rows[place] for place in batch]), windows.labels(batch))


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
    return DataLoader(
        dataset,
        batch_sampler=list(order),
        num_workers=workers,
        collate_fn=stack,
        worker_init_fn=_outlive_signals,
    )


def _outlive_signals(_: int) -> None:
    """Lets a worker live when a signal asks all processes of a training for the end.

    The training still needs its batches, to complete the cycle that it saves; then it ends them.
    """
    for one in ASKING:
        signal.signal(one, signal.SIG_IGN)
