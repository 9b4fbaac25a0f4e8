import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips.evaluation import matching
from tips.evaluation.matching import assign, clean, hits, match

SQUARE = np.array([(90.0, 90.0), (160.0, 90.0), (160.0, 170.0), (90.0, 170.0)])


def labels(scenes, truth, found):
    return match([scenes.clip([truth], [found])])


def test_threshold_is_inclusive(scenes):
    moved = scenes.GRID.copy()
    moved[0, 0] += 15.0  # 0.5 head sizes
    moved[1, 0] += 15.000001
    moved[2] += (9.0, 12.0)
    evidence = labels(scenes, scenes.truth_frame(scenes.GRID), scenes.found_frame(moved))
    assert evidence.hit.tolist() == [True, False] + [True] * 13


def test_unannotated_joint_of_a_matched_person_is_a_miss(scenes):
    truth = scenes.GRID.copy()
    truth[4] = np.nan
    evidence = labels(scenes, scenes.truth_frame(truth), scenes.found_frame(scenes.GRID))
    assert evidence.hit.tolist() == [j != 4 for j in range(15)]
    assert evidence.n_truth[0].tolist() == [int(j != 4) for j in range(15)]


def test_absent_prediction_is_no_sample_and_infinite_one_is_a_miss(scenes):
    found = scenes.GRID.copy()
    found[3], found[5] = np.nan, np.inf
    evidence = labels(scenes, scenes.truth_frame(scenes.GRID), scenes.found_frame(found))
    assert evidence.joint.tolist() == [j for j in range(15) if j != 3]
    assert not evidence.hit[evidence.joint == 5].any()


def owners(share):
    """Who each predicted person (rows) stands for, of the annotated ones (columns)."""
    share = np.array(share, dtype=np.float64)
    found, truth = np.indices(share.shape).reshape(2, -1)
    stand = assign(share.ravel(), found, truth)
    result = np.full(len(share), -1)
    result[found[stand]] = truth[stand]
    return result.tolist()


def test_greedy_loser_stays_unmatched():
    # Both predictions fit person 0 best; the loser would fit person 1 too, yet gets nobody.
    assert owners([[10 / 15, 0], [8 / 15, 5 / 15]]) == [0, -1]


def test_assignment_ties_go_to_the_first():
    assert owners([[1, 1], [1, 1]]) == [0, -1]
    assert owners([[0.2, 0.5], [0.4, 0.4], [0.5, 0.1]]) == [1, -1, 0]


def test_nothing_near_is_nobody():
    assert owners([[0.0, 0.0]]) == [-1]
    assert owners(np.empty((0, 3))) == []


def test_share_is_of_the_persons_own_joints(scenes):
    few = np.full((15, 2), np.nan)
    few[:3] = scenes.GRID[:3]
    found = scenes.GRID.copy()
    found[5:] += 500  # 5 of 15 of the first person, 3 of 3 of the second
    truth = scenes.truth_frame(scenes.GRID, few)
    assert set(labels(scenes, truth, scenes.found_frame(found)).person) == {1}


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_head_of_size_zero_is_never_hit(scenes, shift):
    truth = scenes.truth_frame(scenes.GRID, heads=[0.0])
    evidence = labels(scenes, truth, scenes.found_frame(scenes.GRID + shift))
    assert not evidence.hit.any()
    assert evidence.person.tolist() == [-1] * 15
    assert evidence.n_truth.sum() == 15


def test_scores_play_no_part_in_the_assignment(scenes):
    off = np.add(scenes.GRID, (0, 14))
    off[:3] += 100
    found = scenes.found_frame(off, scenes.GRID, scores=[0.9, 0.1])
    evidence = labels(scenes, scenes.truth_frame(scenes.GRID), found)
    assert evidence.hit[evidence.score == 0.1].all()
    assert not evidence.hit[evidence.score == 0.9].any()


def test_empty_frames(scenes):
    truth = [
        scenes.truth_frame(scenes.GRID),
        scenes.truth_frame(np.full((15, 2), np.nan)),
        scenes.truth_frame(),
    ]
    found = [scenes.found_frame(), scenes.found_frame(scenes.GRID), scenes.found_frame(scenes.GRID)]
    evidence = match([scenes.clip(truth, found), scenes.clip([], [], "b")])
    assert evidence.n_truth.sum(axis=1).tolist() == [15, 0]
    assert evidence.frame.tolist() == [1] * 15 + [2] * 15
    assert not evidence.hit.any()
    nothing = match([])
    assert len(nothing.joint) == 0
    assert nothing.n_truth.shape == (0, 15)


def test_ignore_deletes_inside_only(scenes):
    truth = scenes.truth_frame(scenes.GRID, ignore=[SQUARE])
    found = scenes.found_frame(scenes.GRID + 2)
    cleaned = clean(scenes.clip([truth], [found]))
    gone = [0, 1, 5, 6]  # x 100, 150; y 100, 160
    assert np.flatnonzero(np.isnan(cleaned.truth[0].joints[0, :, 0])).tolist() == gone
    assert np.flatnonzero(np.isnan(cleaned.found[0].joints[0, :, 0])).tolist() == gone
    evidence = match([scenes.clip([truth], [found])])
    assert evidence.joint.tolist() == [j for j in range(15) if j not in gone]
    assert evidence.hit.all()


def test_truth_that_vanishes_leaves_misses(scenes):
    everything = np.array([(0.0, 0.0), (500.0, 0.0), (500.0, 500.0), (0.0, 500.0)])
    truth = scenes.truth_frame(scenes.GRID, ignore=[everything])
    evidence = labels(scenes, truth, scenes.found_frame(np.add(scenes.GRID, (600, 0))))
    assert evidence.n_truth.sum() == 0
    assert len(evidence.hit) == 15
    assert not evidence.hit.any()


def slow_near(truth, found):
    near = np.zeros((len(found.joints), len(truth.joints), 15), dtype=bool)
    for q, p, j in np.ndindex(near.shape):
        distance = np.linalg.norm(truth.joints[p, j] - found.joints[q, j])
        near[q, p, j] = distance / truth.heads[p] <= 0.5
    return near


def slow_owners(truth, near):
    share = np.zeros(near.shape[:2])
    for q, p in np.ndindex(share.shape):
        known = (~np.isnan(truth.joints[p, :, 0])).sum()
        share[q, p] = near[q, p].sum() / known if known else 0
    for q, p in np.ndindex(share.shape):
        if p != np.argmax(share[q]):
            share[q, p] = 0
    people = range(near.shape[1]) if near.size else ()
    return {int(np.argmax(share[:, p])): p for p in people if share[:, p].max() > 0}


def slow_match(clip):
    """The specification's loops, person by person: an independent reading."""
    rows = []
    for truth, found in zip(clip.truth, clip.found, strict=True):
        near = slow_near(truth, found)
        owners = slow_owners(truth, near)
        for q, j in zip(*np.nonzero(~np.isnan(found.joints[..., 0])), strict=True):
            hit = q in owners and near[q, owners[q], j]
            rows.append((j, found.scores[q, j], bool(hit), owners.get(q, -1)))
    return rows


@settings(deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_equals_the_slow_reading(scenes, seed):
    clip = scenes.random_clip(np.random.default_rng(seed), frames=2, noise=25.0)
    evidence = match([clip])
    ours = list(
        zip(
            evidence.joint.tolist(),
            evidence.score.tolist(),
            evidence.hit.tolist(),
            evidence.person.tolist(),
            strict=True,
        )
    )
    assert ours == slow_match(clip)


def test_hits_shapes():
    near = hits(np.zeros((6, 15, 2)), np.ones(6), np.zeros((6, 15, 2)))
    assert near.shape == (6, 15)
    assert near.all()


@pytest.mark.parametrize("size", [1, 40, 10**9])
def test_any_size_of_batch_gives_the_same(scenes, monkeypatch, size):
    rng = np.random.default_rng(3)
    clips = [scenes.random_clip(rng, f"s{i}") for i in range(5)]
    clips.insert(2, scenes.clip([], [], "nothing"))
    whole = match(clips)
    monkeypatch.setattr(matching, "_PAIRS", size)
    for one, other in zip(whole, match(clips), strict=True):
        np.testing.assert_array_equal(one, other)


def test_kit21_sees_positive_coordinates_only(scenes):
    truth, found = scenes.GRID.copy(), scenes.GRID.copy()
    truth[0], truth[1], found[2], found[3] = (-1, 5), (0, 5), (5, 0), -np.inf
    clip = scenes.clip([scenes.truth_frame(truth)], [scenes.found_frame(found)])
    evidence = match([clip], rule="kit21")
    assert evidence.joint.tolist() == [0, 1, *range(4, 15)]
    assert evidence.hit.tolist() == [False, False] + [True] * 11
    assert evidence.n_truth[0].tolist() == [0, 0] + [1] * 13
    assert match([clip]).joint.tolist() == list(range(15))
