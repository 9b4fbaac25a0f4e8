"""The difference of two sets of predictions: closed forms, and what no order may change."""

import numpy as np
import pytest

from tips import skeleton
from tips.evaluation.intervals import ENOUGH_SEQUENCES
from tips.evaluation.matching import Evidence, count_truth
from tips.evaluation.paired import Difference, as_json, caption, differences

COUNT = ENOUGH_SEQUENCES


def evidence(hits: np.ndarray) -> Evidence:
    """One person per sequence, whose joints are all hits of score 1 or absent (sequences,)."""
    n, joints = len(hits), skeleton.COUNT
    truth = np.array([(s, 0, 0, j) for s in range(n) for j in range(joints)])
    found = truth[np.repeat(hits, joints)]
    return Evidence(
        names=tuple(f"s{k:02d}" for k in range(n)),
        strata=tuple(f"s{k:02d}" for k in range(n)),
        joint=found[:, 3],
        score=np.ones(len(found)),
        hit=np.ones(len(found), dtype=np.bool_),
        sequence=found[:, 0],
        frame=found[:, 1],
        person=found[:, 2],
        truth=truth,
        n_truth=count_truth(truth, n),
    )


def some(seed: int, share: float, count: int = COUNT) -> np.ndarray:
    return np.random.default_rng(seed).uniform(size=count) < share


def of(found: list[Difference], name: str = "Total") -> Difference:
    return next(one for one in found if one.name == name)


def test_a_share_of_hits_has_the_binomial_s_interval() -> None:
    """AP is the share of people who were found, so its difference varies as a mean does."""
    left, right = some(1, 0.8), some(2, 0.5)
    found = differences(evidence(left), evidence(right), 4000)
    apart = 100 * (left.astype(float) - right.astype(float))
    for one in found:
        assert one.ours == pytest.approx(100 * left.mean())
        assert one.other == pytest.approx(100 * right.mean())
        assert one.interval.difference == pytest.approx(apart.mean())
        assert one.interval.sd == pytest.approx(apart.std() / np.sqrt(COUNT), rel=0.05)
    assert [one.name for one in found] == [*skeleton.COLUMNS, "Total"]


def test_it_is_paired_and_turns_its_sign() -> None:
    left, right = evidence(some(1, 0.8)), evidence(some(2, 0.5))
    one, other = of(differences(left, right)), of(differences(right, left))
    assert one.interval.difference == pytest.approx(-other.interval.difference)
    assert (one.interval.low, one.interval.high) == pytest.approx(
        (-other.interval.high, -other.interval.low)
    )
    same = of(differences(left, left)).interval
    assert (same.difference, same.low, same.high) == (0, 0, 0)


def test_too_few_sequences_have_no_interval_and_say_so() -> None:
    few = COUNT - 1
    found = differences(evidence(some(1, 0.8, few)), evidence(some(2, 0.5, few)))
    assert not of(found).interval.known
    assert caption(found) == f"no intervals: {few} sequences, and they need {COUNT}"
    kept = as_json(found)["scores"]["Total"]
    assert (kept["low"], kept["high"]) == (None, None)
    assert kept["difference"] == pytest.approx(of(found).interval.difference)


def test_other_sequences_are_refused() -> None:
    with pytest.raises(ValueError, match="share their sequences"):
        differences(evidence(some(1, 0.8)), evidence(some(1, 0.8))._replace(names=("x",) * COUNT))
