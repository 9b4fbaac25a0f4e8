"""Which samples each step sees and at which learning rate; a function of the step alone.

Nothing here has a state, so a run continues after a kill exactly where its step count says.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np


class Draws(NamedTuple):
    """How many samples an epoch takes from a pool of so many; `take` None = all of them."""

    pool: int
    take: int | None


def epoch_order(pools: Sequence[Draws], seed: int, epoch: int) -> list[int]:
    """Shuffles one epoch: sample numbers, pools numbered one after another."""
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
    """Whole batches of an epoch, at least one."""
    count = sum(pool if take is None else take for pool, take in pools if pool)
    return max(1, count // batch)


def batches(
    pools: Sequence[Draws], *, seed: int, epochs: int, batch: int, start: int
) -> Iterator[list[tuple[int, int]]]:
    """Yields the batches from step `start` on, each a list of (epoch, sample)."""
    per_epoch = steps_per_epoch(pools, batch)
    for epoch in range(start // per_epoch, epochs):
        order = epoch_order(pools, seed, epoch)
        first = start - epoch * per_epoch if epoch == start // per_epoch else 0
        for k in range(first, per_epoch):
            yield [(epoch, sample) for sample in order[k * batch : (k + 1) * batch]]


def rate_factor(step: int, total: int, milestones: Sequence[float], decay: float) -> float:
    """Factor on the learning rate at a step: `decay` per milestone passed."""
    # Paper: "decayed linearly in 10th, 16th and 20th epochs by the factor of 0.1" of 25; here: a
    # step at the same shares of all steps, because a factor at epochs is a step schedule.
    return float(decay ** sum(step >= share * total for share in milestones))
