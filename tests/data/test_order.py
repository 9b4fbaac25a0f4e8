import numpy as np
import pytest

from tips.data.order import Draws, batches, epoch_order, steps_per_epoch

POOLS = [Draws(23, None), Draws(7, 18)]  # windows all once; stills twice and a half
ALL = list(batches(POOLS, seed=3, epochs=4, batch=5, start=0))


def test_an_epoch_holds_whole_batches() -> None:
    assert steps_per_epoch(POOLS, 5) == 8  # 41 samples
    assert len(ALL) == 4 * 8
    assert {len(batch) for batch in ALL} == {5}
    assert [{epoch for epoch, _ in batch} for batch in ALL[7:9]] == [{0}, {1}]


@pytest.mark.parametrize("start", range(33))
def test_any_start_gives_the_tail_of_the_whole(start: int) -> None:
    assert list(batches(POOLS, seed=3, epochs=4, batch=5, start=start)) == ALL[start:]


def test_pools_are_drawn_as_often_as_they_say() -> None:
    order = np.array(epoch_order(POOLS, seed=0, epoch=0))
    assert sorted(order[order < 23]) == list(range(23))
    counts = np.bincount(order[order >= 23] - 23, minlength=7)
    assert counts.sum() == 18
    assert set(counts) == {2, 3}
    few = np.array(epoch_order([Draws(100, 10)], seed=0, epoch=0))
    assert len(set(few)) == 10


def test_orders_differ_by_seed_and_epoch() -> None:
    orders = {tuple(epoch_order(POOLS, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_a_small_or_empty_pool_still_makes_a_step() -> None:
    assert list(batches([Draws(2, None)], seed=0, epochs=2, batch=8, start=0)) in (
        [[(0, a), (0, 1 - a)], [(1, b), (1, 1 - b)]] for a in (0, 1) for b in (0, 1)
    )
    assert steps_per_epoch([Draws(8, None), Draws(0, 40)], 4) == 2
    assert len(epoch_order([Draws(8, None), Draws(0, 40)], 0, 0)) == 8
