"""The samples of every step, as a function of the step number alone.

Nothing here has a state, so a run that was killed continues exactly from its step number.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Draws(NamedTuple):
    """A pool of samples, and the number that an epoch draws from it."""

    pool: int  # number of samples of the pool
    take: int | None  # number that an epoch draws; None: all of them


def epoch_order(pools: Sequence[Draws], seed: int, epoch: int) -> list[int]:
    """Shuffles the samples of one epoch.

    Args:
        pools: the pools, whose samples are numbered one pool after another.
        seed: seed of the training.
        epoch: number of the epoch, from 0.

    Returns:
        Sample numbers in the order of the epoch; a pool smaller than its `take` repeats.
    """
    rng = np.random.default_rng((seed, epoch))
    chosen: list[int] = []
    offset = 0
    for pool, take in pools:
        order = rng.permutation(pool)
        count = pool if take is None else take
        repeats = -(-count // pool) if pool else 0
        chosen.extend((np.tile(order, repeats)[:count] + offset).tolist())
        offset += pool
    rng.shuffle(chosen)
    return chosen


def steps_per_epoch(pools: Sequence[Draws], batch: int) -> int:
    """Counts the whole batches of an epoch; there is at least one."""
    count = sum(pool if take is None else take for pool, take in pools if pool)
    return max(1, count // batch)


def batches(
    pools: Sequence[Draws], *, seed: int, epochs: int, batch: int, start: int
) -> Iterator[list[tuple[int, int]]]:
    """Yields the batches from step `start` on.

    Args:
        pools: the pools of samples.
        seed: seed of the training.
        epochs: number of epochs of the whole training.
        batch: number of samples of a batch.
        start: first step, from 0.

    Yields:
        Lists of (epoch, sample).
    """
    per_epoch = steps_per_epoch(pools, batch)
    for epoch in range(start // per_epoch, epochs):
        order = epoch_order(pools, seed, epoch)
        first = start - epoch * per_epoch if epoch == start // per_epoch else 0
        for k in range(first, per_epoch):
            yield [(epoch, sample) for sample in order[k * batch : (k + 1) * batch]]
