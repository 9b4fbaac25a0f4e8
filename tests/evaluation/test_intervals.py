import numpy as np
import pytest

from tips.evaluation.average_precision import average_precision, total
from tips.evaluation.intervals import (
    ENOUGH_SEQUENCES,
    Row,
    interval,
    paired_differences,
    part_rows,
    pooled_seed_variance,
    resamples,
    row,
    same_variant,
)
from tips.evaluation.matching import match
from tips.evaluation.oks import PARTS, part_oks

NAMES = tuple(f"s{i}" for i in range(50))
PAIRS = ((0, 1), (0, 2), (1, 2))


def synthetic(points, noise=0.0, seeds=None, shared=False, names=NAMES, seed=0):
    points = np.asarray(points, dtype=np.float64)
    shake = np.random.default_rng(seed).normal(0, noise, (len(points), 4000)) if noise else 0.0
    return Row(
        seeds=tuple(range(len(points))) if seeds is None else seeds,
        points=points,
        resampled=points[:, None] + np.broadcast_to(shake, (len(points), 4000)),
        sequences=names,
        shared=shared,
    )


def test_resamples_keep_the_size_of_every_stratum_and_repeat():
    strata = ["run", "punch", "run", "run", "punch", "roll"]
    weights = resamples(strata)
    assert weights.shape == (1000, 6)
    for name, size in (("run", 3), ("punch", 2), ("roll", 1)):
        members = [i for i, stratum in enumerate(strata) if stratum == name]
        assert (weights[:, members].sum(axis=1) == size).all()
    assert weights[:, 0].std() > 0.5
    np.testing.assert_array_equal(weights, resamples(strata))
    assert not np.array_equal(weights, resamples(strata, seed=1))


def test_sequences_alone_in_their_strata_are_resampled_together():
    weights = resamples(["run", "a", "run", "b", "c"])
    assert (weights.sum(axis=1) == 5).all()
    assert (weights[:, [0, 2]].sum(axis=1) == 2).all()
    alone = weights[:, [1, 3, 4]]
    assert alone.std() > 0.5
    assert set(alone.ravel()) == {0, 1, 2, 3}


def test_row_scores_every_seed(scenes):
    rng = np.random.default_rng(0)
    runs = {
        s: match([scenes.random_clip(rng, f"{i}", noise=10 + s) for i in range(3)]) for s in (2, 0)
    }
    weights = resamples(["walk"] * 3, count=5)
    ours = row(runs, weights)
    assert ours.seeds == (0, 2)
    assert ours.points[1] == total(average_precision(runs[2]).ap)
    assert ours.resampled[1, 3] == pytest.approx(total(average_precision(runs[2], weights[3]).ap))
    other = match([scenes.random_clip(rng, "x")])
    with pytest.raises(ValueError, match="must share their sequences; got 2 lists"):
        row({0: runs[0], 1: other}, weights)
    with pytest.raises(ValueError, match="got 0 lists"):
        row({}, weights)


def test_paired_differences_use_common_seeds_and_shared_networks():
    ours = synthetic([70, 71, 73])
    np.testing.assert_allclose(paired_differences(ours, synthetic([60, 60, 60])), [10, 11, 13])
    np.testing.assert_allclose(paired_differences(ours, synthetic([60], seeds=(1,))), [11])
    base = synthetic([65], shared=True)
    np.testing.assert_allclose(paired_differences(ours, base), [5, 6, 8])
    np.testing.assert_allclose(paired_differences(base, ours), [-5, -6, -8])
    np.testing.assert_allclose(paired_differences(base, base), [0])
    with pytest.raises(ValueError, match="need a seed in common"):
        paired_differences(ours, synthetic([1], seeds=(9,)))
    with pytest.raises(ValueError, match="must share their sequences"):
        paired_differences(ours, synthetic([1, 2, 3], names=NAMES[:-1]))


def test_pooled_variance_weighs_by_degrees_of_freedom():
    rows = [np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 0.0, 2.0]), np.array([5.0, 9.0])]
    assert pooled_seed_variance(rows) == pytest.approx((2 * 1.0 + 3 * 1.0) / 5)
    assert np.isnan(pooled_seed_variance([rows[2]]))
    assert np.isnan(pooled_seed_variance([]))


def test_variance_adds_resamples_and_seeds():
    ours, base = synthetic([70, 72, 74], 0.6, seed=1), synthetic([70, 70, 70], 0.6, seed=2)
    result = interval(ours, base, seed_variance=1.75)
    apart = ours.resampled - base.resampled
    by_sequence = np.mean([np.var(apart[i] - apart[j], ddof=1) / 2 for i, j in PAIRS])
    half = 1.96 * np.sqrt(np.var(apart.mean(axis=0), ddof=1) + (1.75 - by_sequence) / 3)
    assert result.difference == pytest.approx(2)
    assert (result.low, result.high) == pytest.approx((2 - half, 2 + half))
    assert result.separable
    assert result.n_seeds == 3
    assert result.seed_sd == pytest.approx(np.sqrt(1.75 - by_sequence))
    assert interval(ours, base, seed_variance=by_sequence / 2).seed_sd == 0
    assert result.known
    assert result.sd == pytest.approx(half / 1.96)
    assert not interval(ours, base, seed_variance=9.0).separable


def crossed(rng, weights, *, seeds, sequences, by_seed, by_both):
    """A row whose score of a seed on a sequence is the sum of three effects, and no true gain."""
    scores = (
        rng.normal(0, 1, sequences)
        + by_seed * rng.normal(0, 1, (seeds, 1))
        + by_both * rng.normal(0, 1, (seeds, sequences))
    )
    return Row(
        seeds=tuple(range(seeds)),
        points=scores.mean(axis=1),
        resampled=scores @ weights.T / sequences,
        sequences=tuple(str(i) for i in range(sequences)),
    )


@pytest.mark.parametrize(("by_seed", "by_both"), [(0.0, 1.0), (0.1, 1.0), (0.3, 0.0), (0.2, 3.0)])
def test_intervals_hold_zero_as_often_as_they_say(by_seed, by_both):
    """Seeds differ as a whole, by sequence, or both; neither part may be left out or count twice.

    The two rows differ in every sequence as well, so their difference has all three effects.
    """
    rng = np.random.default_rng(5)
    size = {"seeds": 3, "sequences": 60, "by_seed": by_seed, "by_both": by_both}
    weights = resamples(["walk"] * 60, count=150)
    rows = [crossed(rng, weights, **size) for _ in range(1200)]
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    variance = pooled_seed_variance([paired_differences(*pair) for pair in pairs])
    found = [interval(*pair, variance) for pair in pairs]
    share = np.mean([one.separable for one in found])
    assert 0.03 < share < 0.075
    true_sd = np.sqrt(2 * (1 + by_seed**2 * 20 + by_both**2 / 3) / 60)
    assert np.mean([one.sd for one in found]) == pytest.approx(true_sd, rel=0.05)


def test_shared_resamples_cancel_what_rows_have_in_common():
    ours = synthetic([70], 3.0, seed=5)
    base = ours._replace(points=ours.points - 1, resampled=ours.resampled - 1)
    result = interval(ours, base, seed_variance=0.01)
    assert result.bootstrap_sd == pytest.approx(0, abs=1e-9)
    assert result.separable


def unknown(result):
    """Whether nothing is said of the difference but its value."""
    ends = (result.low, result.high, result.sd)
    return np.isnan(ends).all() and not (result.known or result.separable)


def test_without_the_variance_between_seeds_the_interval_is_unknown():
    result = interval(synthetic([90]), synthetic([10]), float("nan"))
    assert result.difference == 80
    assert unknown(result)
    assert np.isnan(result.seed_sd)


@pytest.mark.parametrize("count", [1, 2, ENOUGH_SEQUENCES - 1])
def test_on_few_sequences_the_interval_is_unknown(count):
    ours, base = (synthetic([one], 0.1, names=NAMES[:count], seed=one) for one in (53, 50))
    result = interval(ours, base, 0.25)
    assert result.difference == 3
    assert unknown(result)
    assert not unknown(interval(*(synthetic([k], names=NAMES[:40]) for k in (53, 50)), 0.25))


def test_seeds_of_one_variant_are_rarely_separable():
    rng = np.random.default_rng(0)
    rows = [synthetic(70 + rng.normal(0, 1, 5)) for _ in range(60)]
    variance = pooled_seed_variance([paired_differences(rows[i], rows[i + 1]) for i in range(59)])
    checks = [same_variant(one, variance) for one in rows]
    assert all(check.pairs == 10 for check in checks)
    assert 0 < np.mean([check.share for check in checks]) < 0.1
    assert same_variant(rows[0], 0.0).share == 1
    assert np.isnan(same_variant(synthetic([1.0]), 1.0).share)
    assert same_variant(synthetic([1.0, 5.0], shared=True), 0.1).separable == 1


def test_pairs_without_a_known_interval_are_no_check():
    row_ = synthetic([1.0, 2.0, 3.0], names=NAMES[:10])
    assert same_variant(row_, 0.1) == (0, 0)
    assert same_variant(synthetic([1.0, 2.0, 3.0]), float("nan")) == (0, 0)


def test_part_rows_score_every_run_and_leave_out_a_part_that_nobody_has(scenes):
    rng = np.random.default_rng(4)
    runs = {seed: part_oks([scenes.random_clip(rng, f"{k}") for k in range(4)]) for seed in (3, 1)}
    sums = {seed: run.sums for seed, run in runs.items()}
    weights = resamples(["walk"] * 4, count=6)
    like = Row((1, 3), np.zeros(2), np.zeros((2, 6)), tuple("0123"))
    found = part_rows(sums, like, weights)
    assert tuple(found) == tuple(PARTS)
    for name, one in found.items():
        assert one.seeds == (1, 3)
        assert one.points == pytest.approx([runs[seed].parts[name].score for seed in (1, 3)])
        assert one.resampled.shape == (2, 6)
    for one in sums.values():
        one.people[:, 2] = 0
    assert set(PARTS) - set(part_rows(sums, like, weights)) == {list(PARTS)[2]}
