import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from tips import skeleton
from tips.evaluation.oks import (
    AREA_FACTOR,
    PARTS,
    SIGMAS,
    closeness,
    coco_ap,
    part_oks,
    person_scores,
    resampled_parts,
    similarities,
)
from tips.records import RecordError

AREA = AREA_FACTOR * 250 * 200  # of the conftest's boxes


def closed_form(truth, area, found, ids, sigmas=skeleton.SIGMAS):
    values = [
        np.exp(-np.sum((truth[k] - found[k]) ** 2) / (2 * area * (2 * sigmas[k]) ** 2))
        for k in ids
        if not np.isnan(truth[k, 0])
    ]
    return np.mean(values)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_similarities_equal_the_closed_form(seed):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 300, (3, 15, 2))
    truth[rng.random((3, 15)) < 0.3] = np.nan
    truth[:, 0] = 50.0
    found = np.nan_to_num(truth[[1, 0, 2, 2]], nan=30.0) + rng.normal(0, 12, (4, 15, 2))
    areas = rng.uniform(1e3, 1e5, 3)
    ours = similarities(closeness(truth, areas, found))
    for q, p in np.ndindex(ours.shape):
        expected = closed_form(truth[p], areas[p], found[q], range(15))
        assert abs(ours[q, p] - expected) < 1e-12


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_part_scores_equal_the_closed_form(scenes, seed):
    clip = scenes.random_clip(np.random.default_rng(seed))
    result = part_oks([clip])
    for name, ids in PARTS.items():
        values, n = [], 0
        for truth, found in zip(clip.truth, clip.found, strict=True):
            labelled = [p for p in range(3) if not np.isnan(truth.joints[p, ids, 0]).all()]
            n += len(labelled)
            values += [
                closed_form(truth.joints[p], AREA, np.nan_to_num(found.joints[p], nan=1e9), ids)
                for p in labelled
                if p < len(found.joints)
            ]
        part = result.parts[name]
        assert (part.n, part.n_matched) == (n, len(values))
        assert part.score == pytest.approx(100 * np.sum(values) / n, abs=1e-10)
        if values:
            assert part.matched == pytest.approx(100 * np.mean(values), abs=1e-10)
    scores = [part.score for part in result.parts.values()]
    assert result.mean == pytest.approx(np.mean(scores))
    assert result.mean_by_joint == pytest.approx((3 * scores[0] + 2 * sum(scores[1:])) / 15)


@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_a_resample_scores_as_copies_of_its_clips(scenes, seed):
    rng = np.random.default_rng(seed)
    clips = [scenes.random_clip(rng, str(k)) for k in range(3)]
    weights = rng.integers(0, 3, (4, 3))
    found = resampled_parts(part_oks(clips).sums, weights)
    for counts, scores in zip(weights, found, strict=True):
        copies = [clip for clip, k in zip(clips, counts, strict=True) for _ in range(k)]
        if copies:
            expected = [part.score for part in part_oks(copies).parts.values()]
            assert scores.tolist() == pytest.approx(expected, abs=1e-9, nan_ok=True)
        else:
            assert np.isnan(scores).all()


def test_perfect_is_100_and_unmatched_people_count_zero(scenes):
    both = scenes.truth_frame(scenes.GRID, scenes.GRID + 500)
    perfect = scenes.found_frame(scenes.GRID, scenes.GRID + 500)
    result = part_oks([scenes.clip([both], [perfect])])
    assert result.mean == result.mean_by_joint == 100
    assert [part.ap for part in result.parts.values()] == pytest.approx([100] * 7)
    half = part_oks([scenes.clip([both], [scenes.found_frame(scenes.GRID)])])
    assert half.parts["Knee"][:2] == (50, 100)
    assert (half.parts["Knee"].n, half.parts["Knee"].n_matched) == (2, 1)
    none = part_oks([scenes.clip([both], [scenes.found_frame()])])
    assert none.mean == 0
    assert np.isnan(none.parts["Knee"].matched)


def test_the_match_is_by_track_or_by_similarity(scenes):
    truth = scenes.truth_frame(scenes.GRID, scenes.GRID + 500, tracks=(4, 9))
    found = scenes.found_frame(scenes.GRID + 500, scenes.GRID, tracks=(9, 4), scores=[0.1, 0.9])
    assert part_oks([scenes.clip([truth], [found])], "track").mean == 100
    swapped = scenes.clip([truth], [found._replace(tracks=(4, 9))])
    assert part_oks([swapped], "track").mean < 1
    assert part_oks([swapped], "best").mean == 100


def test_best_takes_confident_predictions_first_and_nothing_below_half(scenes):
    truth = scenes.truth_frame(scenes.GRID)
    found = scenes.found_frame(scenes.GRID, scenes.GRID + 5, scores=[0.1, 0.9])
    near = part_oks([scenes.clip([truth], [found])], "best")
    expected = closed_form(scenes.GRID, AREA, scenes.GRID + 5, PARTS["Hip"])
    assert near.parts["Hip"].score == pytest.approx(100 * expected)
    far = scenes.found_frame(scenes.GRID + 100)
    assert part_oks([scenes.clip([truth], [far])], "best").parts["Hip"].n_matched == 0


def test_more_than_20_people_are_all_evaluated(scenes):
    people = [scenes.GRID + 600 * i for i in range(30)]
    clip = scenes.clip([scenes.truth_frame(*people)], [scenes.found_frame(*people)])
    assert part_oks([clip], "best").mean == 100


def test_sigmas_and_area_are_the_ones_given(scenes):
    clip = scenes.clip([scenes.truth_frame(scenes.GRID)], [scenes.found_frame(scenes.GRID + 4)])
    result = part_oks([clip], sigmas=[0.05] * 15, area_factor=1.0)
    expected = closed_form(scenes.GRID, 250 * 200, scenes.GRID + 4, [0], [0.05] * 15)
    assert result.mean == pytest.approx(100 * expected, abs=1e-10)
    assert (result.area_factor, result.matching) == (1.0, "track")


def test_ignored_joints_do_not_count(scenes):
    legs = [(90.0, 90.0), (460.0, 90.0), (460.0, 130.0), (90.0, 130.0)]  # joints 0..4
    truth = scenes.truth_frame(scenes.GRID, ignore=[legs])
    result = part_oks([scenes.clip([truth], [scenes.found_frame(scenes.GRID)])])
    assert result.parts["Hip"].n == 0
    assert np.isnan(result.parts["Hip"].score)
    assert result.parts["Ankle"].score == 100


def test_prints_nothing(scenes, capsys):
    part_oks([scenes.clip([scenes.truth_frame(scenes.GRID)], [scenes.found_frame(scenes.GRID)])])
    assert capsys.readouterr().out == ""


def test_refuses_people_without_area_and_tracks_that_repeat(scenes):
    truth = scenes.truth_frame(scenes.GRID)
    found = scenes.found_frame(scenes.GRID, scenes.GRID, tracks=(0, 0))
    with pytest.raises(RecordError, match="a, frame 0: tracks repeat in a frame"):
        part_oks([scenes.clip([truth], [found])])
    boxless = truth._replace(boxes=np.full((1, 4), np.nan))
    with pytest.raises(RecordError, match="a, frame 0: a person with joints has no box"):
        part_oks([scenes.clip([boxless], [found])])


def coco(people, images):
    data = COCO()
    data.dataset = {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": 1}],
        "annotations": [
            one | {"id": number, "category_id": 1} for number, one in enumerate(people, start=1)
        ],
    }
    data.createIndex()
    return data


def coco_evaluation(clip):
    """Runs pycocotools as its own users do."""
    truth, found = [], []
    for image, (known, guessed) in enumerate(zip(clip.truth, clip.found, strict=True)):
        for joints in known.joints:
            labelled = ~np.isnan(joints).any(axis=1)
            points = np.column_stack([np.nan_to_num(joints), labelled]).ravel().tolist()
            numbers = {"num_keypoints": int(labelled.sum()), "area": AREA, "iscrowd": 0}
            box = {"bbox": [0.0, 0.0, 1.0, 1.0], "image_id": image}
            truth.append({"keypoints": points} | numbers | box)
        for joints, score in zip(guessed.joints, guessed.people, strict=True):
            points = np.column_stack([np.nan_to_num(joints, nan=1e9), np.ones(15)])
            own = {"keypoints": points.ravel().tolist(), "score": float(score), "area": 1.0}
            found.append(own | {"image_id": image})
    run = COCOeval(coco(truth, len(clip.truth)), coco(found, len(clip.truth)), "keypoints")
    run.params.kpt_oks_sigmas = np.array(skeleton.SIGMAS)
    run.params.maxDets = [20]
    run.params.areaRng, run.params.areaRngLbl = [[0, 1e10]], ["all"]
    run.evaluate()
    run.accumulate()
    return run


@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 10_000), ties=st.booleans())
def test_coco_ap_and_similarities_equal_pycocotools(scenes, seed, ties):
    clip = scenes.random_clip(np.random.default_rng(seed), noise=20.0)
    if ties:  # of scores, and of similarities
        twice = [
            frame._replace(
                joints=np.concatenate([frame.joints, frame.joints]),
                people=np.round(np.tile(frame.people, 2), 1),
                scores=np.tile(frame.scores, (2, 1)),
                tracks=tuple(range(2 * len(frame.tracks))),
            )
            for frame in clip.found
        ]
        clip = clip._replace(found=tuple(twice))
    if not any(len(frame.joints) for frame in clip.found):
        return
    run = coco_evaluation(clip)
    precision, recall = run.eval["precision"], run.eval["recall"]
    parts = [precision, precision[0], precision[5], recall]
    expected = [100 * part[part > -1].mean() for part in parts]
    assert list(coco_ap([clip])) == pytest.approx(expected, abs=1e-9)
    for image, (known, guessed) in enumerate(zip(clip.truth, clip.found, strict=True)):
        order = np.argsort(-guessed.people, kind="stable")
        areas = np.full(len(known.joints), AREA)
        table = similarities(closeness(known.joints, areas, guessed.joints))[order]
        if table.size:
            assert np.abs(table - run.ious[image, 1]).max() < 1e-12


def test_coco_ap_of_nothing(scenes):
    truth, nobody = scenes.truth_frame(scenes.GRID), scenes.found_frame()
    assert coco_ap([scenes.clip([truth], [nobody])]) == (0, 0, 0, 0)
    assert np.isnan(coco_ap([scenes.clip([scenes.truth_frame()], [nobody])])).all()


def test_people_without_a_score_rank_by_their_joints(scenes):
    joints = np.stack([scenes.GRID, scenes.GRID])
    joints[0, 0] = np.nan
    found = scenes.found_frame(*joints, scores=np.linspace(0, 1.4, 15) * np.ones((2, 1)))
    found = found._replace(people=np.array([np.nan, 0.25]))
    assert person_scores(found).tolist() == pytest.approx([10.5 / 14, 0.25])


def test_sigmas_of_both_flavours():
    differ = [a != b for a, b in zip(SIGMAS["mmpose"], SIGMAS["pifpaf"], strict=True)]
    assert np.flatnonzero(differ).tolist() == [12, 14]
    listed = [0.089, 0.087, 0.107, 0.107, 0.087, 0.089, 0.062, 0.072]
    listed += [0.079, 0.079, 0.072, 0.062, 0.025, 0.026, 0.025]
    assert list(SIGMAS["mmpose"]) == listed
