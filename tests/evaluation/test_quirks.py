"""The quick evaluation equals the slow one, on the oracles and on random mixes of every quirk."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import quirks
from slow_poseval import slow_evaluation

from tips.evaluation.average_precision import average_precision, total
from tips.evaluation.matching import match
from tips.evaluation.poseval_reader import read_folders

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared"))
CASES = sorted(path.parent for path in SHARED.glob("oracles/average-precision/*/expected.json"))
ABSENT = pytest.param(Path(), marks=pytest.mark.skip(reason="no shared material"))


def write(folder, sequences):
    for side, index in (("gt", 0), ("pred", 1)):
        (folder / side).mkdir()
        for number, pair in enumerate(sequences):
            (folder / side / f"{number:06d}.json").write_text(json.dumps(pair[index]))
    return folder / "gt", folder / "pred"


def quick(truth, found, *, threshold=0.5, factor=0.6, kit=False):
    rule = "kit21" if kit else "poseval"
    scores = average_precision(match(read_folders(truth, found, rule, factor), threshold, rule))
    return {
        "ap": scores.ap,
        "ap_mean": total(scores.ap),
        "precision": scores.precision,
        "recall": scores.recall,
        "n_gt": scores.n_truth,
        "n_pred": scores.n_found,
        "n_tp": scores.n_hit,
    }


def same(ours, theirs):
    for key, value in theirs.items():
        np.testing.assert_allclose(
            np.array(ours[key], dtype=np.float64),
            np.array(value, dtype=np.float64),
            rtol=0,
            atol=1e-9,
            err_msg=key,
        )


def none_is_nan(values):
    return [np.nan if value is None else value for value in values]


@pytest.mark.parametrize("case", CASES or [ABSENT], ids=lambda case: case.name)
def test_the_slow_evaluation_equals_poseval(case):
    expected = json.loads((case / "expected.json").read_text())
    files = sorted((case / "gt").glob("*.json"))
    sequences = [
        (json.loads(file.read_text()), json.loads((case / "pred" / file.name).read_text()))
        for file in files
    ]
    slow = slow_evaluation(sequences)
    keys = ["n_gt", "n_pred", "n_tp", "precision", "recall"]
    if expected["ties"] is None:
        keys += ["ap"]
        assert slow["ap_mean"] == pytest.approx(expected["ap_mean"], abs=1e-9)
    else:
        stable = none_is_nan(expected["ties"]["ap_if_stable_descending"])
        same(slow, {"ap": stable})
    same(slow, {key: none_is_nan(expected[key]) for key in keys})


@pytest.mark.parametrize("seed", range(60))
def test_random_mixes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    noise = [1.0, 6.0, 15.0][seed % 3]
    sequences = []
    for number in range(3):
        style = [17, 18][int(rng.integers(2))]
        sequences.append(quirks.sequence(rng, style, 4, noise, seed % 4 == 0, number))
    switches = {} if seed % 2 else {"threshold": [0.2, 0.5, 0.8][seed % 3], "factor": 0.6}
    same(quick(*write(tmp_path, sequences), **switches), slow_evaluation(sequences, **switches))


@pytest.mark.parametrize("seed", range(20))
def test_random_mixes_under_kit21(tmp_path, seed):
    rng = np.random.default_rng(1000 + seed)
    sequences = [quirks.sequence(rng, 18, 4, 6.0, number=number) for number in range(3)]
    slow = slow_evaluation(sequences, kit=True)
    same(quick(*write(tmp_path, sequences), kit=True), slow)
    assert not np.isnan(slow["ap"]).any()


def test_the_mixes_hold_every_quirk():
    """Else the tests above would show less than they say."""
    rng = np.random.default_rng(0)
    pairs = [quirks.sequence(rng, 17, 4) for _ in range(60)]
    truth = [frame for pair in pairs for frame in pair[0]["annolist"]]
    found = [frame for pair in pairs for frame in pair[1]["annolist"]]
    points = [
        point
        for frame in found
        for person in frame["annorect"]
        for holder in person.get("annopoints", [])
        for point in holder.get("point", [])
    ]
    lists = [
        [point["id"][0] for point in person["annopoints"][0]["point"] if point["id"]]
        for frame in truth
        for person in frame["annorect"]
        if person.get("annopoints") and "point" in person["annopoints"][0]
    ]
    assert any(not frame["annorect"] for frame in truth)
    assert any(frame.get("ignore_regions") for frame in truth)
    assert any(not person.get("annopoints") for frame in truth for person in frame["annorect"])
    assert any(not ids for ids in lists)
    assert any(len(ids) != len(set(ids)) for ids in lists)
    assert any("score" not in point for point in points)
    assert any(np.isnan(point["x"][0]) for point in points)
    assert any(point["x"][0] < 0 for point in points)
    assert any("score" in point and np.isnan(point["score"][0]) for point in points)
    heads = [p for frame in truth for p in frame["annorect"] if "x1" in p]
    assert any(p["x1"] == p["x2"] and p["y1"] == p["y2"] for p in heads)
