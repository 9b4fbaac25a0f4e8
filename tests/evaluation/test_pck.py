import json
import os
from pathlib import Path

import numpy as np
import pytest

from tips import skeleton
from tips.evaluation.pck import bbox_sizes, pck, torso_sizes

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared"))
CASES = sorted(SHARED.glob("oracles/average-precision/pck/*.json"))
ABSENT = pytest.param(Path(), marks=pytest.mark.skip(reason="no shared material"))
NAMES = (
    "neck belly face right_shoulder left_shoulder right_hip left_hip right_elbow left_elbow "
    "right_knee left_knee right_wrist left_wrist right_ankle left_ankle"
).split()
PRINTED = dict(
    zip(("Head", "Sho", "Elb", "Wri", "Hip", "Knee", "Ank"), skeleton.JHMDB.columns, strict=True)
)


def oracle(case):
    data = json.loads(case.read_text())
    assert [name.replace("head", "face") for name in data["joint_order"]] == NAMES
    truth, found = np.array(data["gt"]), np.array(data["pred"])
    shown = np.where(np.array(data["visible"], dtype=bool)[..., None], truth, np.nan)
    boxes = np.hstack([np.zeros((len(truth), 2)), np.array(data["bbox_wh"])])
    sizes = {"bbox": bbox_sizes(boxes), "torso": torso_sizes(truth, found, NAMES)}
    return shown, found, sizes, data["mmpose_output"]


@pytest.mark.parametrize("case", CASES or [ABSENT], ids=lambda case: case.name)
def test_equals_mmpose(case):
    truth, found, sizes, printed = oracle(case)
    assert len(printed) == 6
    for key, values in printed.items():
        size, threshold = key.split("@")
        ours = pck(truth, found, sizes[size], NAMES, threshold=float(threshold), edge="<")
        per_joint = [np.nan if value < 0 else 100 * value for value in values["per_joint"]]
        np.testing.assert_allclose(list(ours.joints.values()), per_joint, atol=1e-9)
        for short, name in PRINTED.items():
            assert ours.columns[name] == pytest.approx(100 * values[short], abs=1e-9)
        assert ours.mean_15 == pytest.approx(100 * values["mean_over_valid_joints"], abs=1e-9)


@pytest.mark.parametrize("case", CASES or [ABSENT], ids=lambda case: case.name)
def test_the_edge_is_a_hit_for_one_and_a_miss_for_the_other(case):
    truth, found, sizes, _ = oracle(case)
    strict, inclusive = (pck(truth, found, sizes["bbox"], NAMES, edge=edge) for edge in ("<", "<="))
    differ = [name for name in NAMES if strict.joints[name] != inclusive.joints[name]]
    assert len(differ) == 1
    (name,) = differ
    assert inclusive.joints[name] - strict.joints[name] == pytest.approx(100 / strict.n[name])


def people(offsets):
    """Two people of size 100; joint j of the first is off by offsets[j]."""
    truth = np.random.default_rng(0).uniform(0, 300, (2, 15, 2)).round()
    found = truth.copy()
    found[0, :, 0] += offsets
    return truth, found, np.full(2, 100.0)


def test_three_means_by_hand():
    offsets = np.zeros(15)
    offsets[[NAMES.index("belly"), NAMES.index("face"), NAMES.index("left_knee")]] = 50
    result = pck(*people(offsets), NAMES)
    assert result.joints["belly"] == result.joints["face"] == result.joints["left_knee"] == 50
    assert (result.columns["Head"], result.columns["Knee"]) == (50, 75)
    assert result.mean_7 == pytest.approx((5 * 100 + 50 + 75) / 7)
    assert result.mean_13 == pytest.approx((11 * 100 + 2 * 50) / 13)
    assert result.mean_15 == pytest.approx((12 * 100 + 3 * 50) / 15)
    assert (result.size, result.threshold, result.edge) == ("bbox", 0.2, "<=")


def test_absent_joints_do_not_count_and_absent_predictions_miss():
    truth, found, sizes = people(np.zeros(15))
    truth[:, 0] = np.nan
    truth[0, 1] = np.nan
    found[1, 2], found[0, 3] = np.nan, np.inf
    result = pck(truth, found, sizes, NAMES)
    assert np.isnan(result.joints["neck"])
    assert (result.joints["belly"], result.n["belly"], result.n["neck"]) == (100, 1, 0)
    assert result.joints["face"] == result.joints["right_shoulder"] == 50
    assert result.mean_15 == pytest.approx((12 * 100 + 2 * 50) / 14)


def test_a_person_without_size_is_left_out():
    truth, found, sizes = people(np.full(15, 90.0))
    sizes[0] = 0
    result = pck(truth, found, sizes, NAMES)
    assert set(result.n.values()) == {1}
    assert result.mean_7 == 100
    nobody = pck(truth[:0], found[:0], sizes[:0], NAMES)
    assert np.isnan([nobody.mean_7, nobody.mean_13, nobody.mean_15]).all()


def test_sizes():
    assert bbox_sizes(np.array([[5.0, 5, 30, 40], [0, 0, 9, 2]])).tolist() == [40, 9]
    truth, found, _ = people(np.zeros(15))
    shoulder, hip = NAMES.index("left_shoulder"), NAMES.index("right_hip")
    truth[0, shoulder], truth[0, hip] = (0, 0), (3, 4)
    truth[1, shoulder] = truth[1, hip] = 7
    found[1, shoulder], found[1, hip] = (0, 0), (6, 8)
    assert torso_sizes(truth, found, NAMES).tolist() == [5, 10]


def test_refuses_what_does_not_fit():
    truth, found, sizes = people(np.zeros(15))
    with pytest.raises(ValueError, match=r"need the shape \(2, 14, 2\)"):
        pck(truth, found, sizes, NAMES[:14])
    with pytest.raises(ValueError, match="no joint face among neck"):
        pck(truth, found, sizes, [name.replace("face", "head") for name in NAMES])
    with pytest.raises(ValueError, match="size must be a number of at least 0"):
        pck(truth, found, sizes * np.nan, NAMES)
