import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips.evaluation.average_precision import (
    Subset,
    average_precision,
    columns,
    frame_subset,
    labelled_columns,
    resampled,
    resampled_totals,
    subset,
    total,
)
from tips.evaluation.matching import Evidence, match

seeds = st.integers(0, 10_000)


def evidence_of(scores, hit, n_truth, sequence=None, joint=0):
    n = len(scores)
    sequence = np.zeros(n, dtype=np.int64) if sequence is None else np.array(sequence)
    counts = np.zeros((max(sequence, default=0) + 1, 15), dtype=np.int64)
    counts[0, joint] = n_truth
    return Evidence(
        names=tuple(f"s{i}" for i in range(len(counts))),
        strata=("walk",) * len(counts),
        joint=np.full(n, joint),
        score=np.array(scores, dtype=np.float64),
        hit=np.array(hit, dtype=np.bool_),
        sequence=sequence,
        frame=np.zeros(n, dtype=np.int64),
        person=np.full(n, -1),
        truth=np.empty((0, 4), dtype=np.int64),
        n_truth=counts,
    )


def slow_ap(scores, hit, n_truth):
    """VOC2010's area by its own recipe: envelope, then every change of recall."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    found, recall, precision = 0, [0.0], [0.0]
    for rank, i in enumerate(order, start=1):
        found += hit[i]
        recall.append(found / n_truth)
        precision.append(found / rank)
    recall, precision = [*recall, 1.0], [*precision, 0.0]
    for i in range(len(precision) - 2, -1, -1):
        precision[i] = max(precision[i], precision[i + 1])
    return 100 * sum((recall[i] - recall[i - 1]) * precision[i] for i in range(1, len(recall)))


def test_hand_computed():
    scores = average_precision(evidence_of([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 0], 4))
    assert scores.ap[0] == pytest.approx(100 * (1 / 4 * 1 + 1 / 4 * 2 / 3))
    assert scores.precision[0] == 50
    assert scores.recall[0] == 50
    assert (scores.n_truth[0], scores.n_found[0], scores.n_hit[0]) == (4, 4, 2)


@settings(deadline=None, derandomize=True)
@given(
    rows=st.lists(
        st.tuples(st.integers(0, 1000), st.booleans()), max_size=30, unique_by=lambda r: r[0]
    ),
    missed=st.integers(0, 5),
)
def test_equals_the_recipe(rows, missed):
    score, hit = [r[0] for r in rows], [r[1] for r in rows]
    n_truth = sum(hit) + missed
    if rows and n_truth:
        ours = average_precision(evidence_of(score, hit, n_truth)).ap[0]
        assert ours == pytest.approx(slow_ap(score, hit, n_truth), abs=1e-10)


def test_no_predictions_is_zero_and_counts():
    for n_truth in (0, 3):
        scores = average_precision(evidence_of([], [], n_truth))
        assert scores.ap.tolist() == scores.recall.tolist() == scores.precision.tolist() == [0] * 15
        assert total(scores.ap) == 0


def test_predictions_without_truth_are_nan_and_left_out():
    ap = average_precision(evidence_of([0.5], [0], 0, joint=4)).ap
    assert np.flatnonzero(np.isnan(ap)).tolist() == [4]
    assert total(ap) == 0
    ap = np.where(np.arange(15) == 4, np.nan, 60.0)
    assert total(ap) == 60
    assert np.isnan(columns(ap)["Knee"])
    assert labelled_columns(ap)["Knee"] == 60
    assert np.isnan(labelled_columns(np.full(15, np.nan))["Knee"])
    assert columns(ap)["Head"] == 60
    assert np.isnan(total(np.full(15, np.nan)))


def test_total_weighs_joints_not_columns():
    ap = np.arange(15.0)
    by_column = columns(ap)
    others = sum(value for name, value in by_column.items() if name != "Head")
    assert total(ap) == pytest.approx((3 * by_column["Head"] + 2 * others) / 15)


def test_equal_scores_keep_file_order_and_nan_comes_first():
    first = average_precision(evidence_of([0.5, 0.5], [1, 0], 1)).ap[0]
    second = average_precision(evidence_of([0.5, 0.5], [0, 1], 1)).ap[0]
    assert (first, second) == (100, 50)
    assert average_precision(evidence_of([0.9, np.nan], [1, 0], 1)).ap[0] == 50
    assert average_precision(evidence_of([-9999, 0.1], [0, 1], 1)).ap[0] == 100


def random_clips(scenes, seed, count=4):
    rng = np.random.default_rng(seed)
    return [scenes.random_clip(rng, f"s{i}", f"m{i % 2}", frames=2) for i in range(count)]


@settings(deadline=None, derandomize=True)
@given(seed=seeds)
def test_order_of_sequences_does_not_matter(scenes, seed):
    clips = random_clips(scenes, seed)
    shuffled = [clips[i] for i in np.random.default_rng(seed).permutation(len(clips))]
    np.testing.assert_allclose(
        average_precision(match(clips)).ap, average_precision(match(shuffled)).ap, atol=1e-9
    )


@settings(deadline=None, derandomize=True)
@given(seed=seeds)
def test_a_lower_scored_miss_never_raises_ap(scenes, seed):
    clips = random_clips(scenes, seed, 2)
    frame = clips[0].found[0]
    extra = scenes.found_frame(scenes.GRID + 5000, scores=-1.0)
    more = frame._replace(
        joints=np.concatenate([frame.joints, extra.joints]),
        scores=np.concatenate([frame.scores, extra.scores]),
    )
    worse = [clips[0]._replace(found=(more, *clips[0].found[1:])), clips[1]]
    before, after = average_precision(match(clips)), average_precision(match(worse))
    assert np.all(after.ap <= before.ap + 1e-12)
    assert np.all(after.n_found == before.n_found + 1)


@settings(deadline=None, derandomize=True)
@given(seed=seeds)
def test_resampling_equals_duplicated_sequences(scenes, seed):
    clips = random_clips(scenes, seed)
    weights = np.random.default_rng(seed).integers(0, 4, (5, len(clips)))
    ours = resampled(match(clips), weights)
    for row, counts in zip(ours, weights, strict=True):
        copies = [clip for clip, k in zip(clips, counts, strict=True) for _ in range(k)]
        naive = average_precision(match(copies))
        np.testing.assert_allclose(row, naive.ap, atol=1e-9)
        weighted = average_precision(match(clips), counts)
        for name in ("precision", "recall", "n_truth", "n_found", "n_hit"):
            np.testing.assert_allclose(getattr(weighted, name), getattr(naive, name), atol=1e-9)
    np.testing.assert_allclose(resampled_totals(match(clips), weights), total(ours))


def test_resampling_is_fast(scenes):
    rng = np.random.default_rng(0)
    clips = [scenes.random_clip(rng, f"{i}", frames=3, people=3) for i in range(110)]
    evidence = match(clips)
    weights = rng.multinomial(110, np.full(110, 1 / 110), size=1000)
    start = time.process_time()
    assert resampled_totals(evidence, weights).shape == (1000,)
    assert time.process_time() - start < 1.5


def test_weights_must_name_every_sequence(scenes):
    with pytest.raises(ValueError, match="a column per sequence"):
        resampled(match(random_clips(scenes, 0)), np.ones((2, 3), dtype=np.int64))


def test_subset_of_everything_is_everything(scenes):
    clips = random_clips(scenes, 3)
    whole = frame_subset(clips, [np.ones(len(clip.truth), dtype=bool) for clip in clips])
    before, after = match(clips), subset(match(clips), whole)
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(deadline=None, derandomize=True)
@given(seed=seeds)
def test_frame_subset_equals_leaving_frames_out(scenes, seed):
    clips = random_clips(scenes, seed)
    masks = [np.random.default_rng(seed + i).random(2) < 0.5 for i in range(len(clips))]
    fewer = [
        clip._replace(
            truth=tuple(f for f, keep in zip(clip.truth, mask, strict=True) if keep),
            found=tuple(f for f, keep in zip(clip.found, mask, strict=True) if keep),
        )
        for clip, mask in zip(clips, masks, strict=True)
    ]
    ours = average_precision(subset(match(clips), frame_subset(clips, masks)))
    naive = average_precision(match(fewer))
    for one, other in zip(ours, naive, strict=True):
        np.testing.assert_array_equal(one, other)


def test_joint_subset_leaves_unmatched_predictions_and_other_joints_out(scenes):
    truth = scenes.truth_frame(scenes.GRID)
    wrong = scenes.GRID.copy()
    wrong[7] += 400
    found = scenes.found_frame(wrong, scenes.GRID + 900, scores=[0.5, 0.9])
    clips = [scenes.clip([truth], [found])]
    chosen = np.zeros((1, 15), dtype=bool)
    chosen[0, [6, 7]] = True
    scores = average_precision(subset(match(clips), Subset(((chosen,),), None)))
    assert scores.n_truth.tolist() == scores.n_found.tolist()
    assert np.flatnonzero(scores.n_truth).tolist() == [6, 7]
    assert scores.ap[[6, 7]].tolist() == [100, 0]
    in_frame = Subset(((chosen,),), (np.array([True]),))
    assert average_precision(subset(match(clips), in_frame)).n_found[6] == 2


def test_subset_must_cover_every_sequence(scenes):
    with pytest.raises(ValueError, match="a mask per sequence"):
        subset(match(random_clips(scenes, 0)), Subset((), None))
