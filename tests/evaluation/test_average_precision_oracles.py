"""Every number that the real poseval printed, at 1e-9 (shared/oracles/average-precision)."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from tips import skeleton
from tips.evaluation.average_precision import average_precision, columns, total
from tips.evaluation.matching import match
from tips.evaluation.poseval_reader import read_folders

SHARED = Path(os.environ.get("TIPS_SHARED", Path(__file__).parents[2] / "../shared"))
ORACLES = SHARED / "oracles/average-precision"
CASES = sorted(path.parent for path in ORACLES.glob("*/expected.json"))
ABSENT = pytest.param(Path(), marks=pytest.mark.skip(reason="no shared material"))


def numbers(values):
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def test_all_cases_are_here():
    if not SHARED.is_dir():
        pytest.skip("no shared material")
    assert len(CASES) == 26


@pytest.mark.parametrize("case", CASES or [ABSENT], ids=lambda case: case.name)
def test_equals_poseval(case):
    expected = json.loads((case / "expected.json").read_text())
    scores = average_precision(match(read_folders(case / "gt", case / "pred")))
    assert expected["joints"] == list(skeleton.JOINTS)

    def same(ours, theirs):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9, equal_nan=True)

    assert scores.n_truth.tolist() == expected["n_gt"]
    assert scores.n_found.tolist() == expected["n_pred"]
    assert scores.n_hit.tolist() == expected["n_tp"]
    same(scores.precision, numbers(expected["precision"]))
    same(scores.recall, numbers(expected["recall"]))
    same(total(scores.precision), expected["precision_mean"])
    same(total(scores.recall), expected["recall_mean"])
    ties = expected["ties"]
    if ties is None:
        same(scores.ap, numbers(expected["ap"]))
        same(total(scores.ap), expected["ap_mean"])
        want = {**expected["columns"]}
        same(total(scores.ap), want.pop("Total"))
        assert list(columns(scores.ap)) == list(want)
        same(list(columns(scores.ap).values()), numbers(want.values()))
    else:
        same(scores.ap, numbers(ties["ap_if_stable_descending"]))
        assert np.all(scores.ap >= numbers(ties["ap_min_over_tie_orders"]) - 1e-9)
        assert np.all(scores.ap <= numbers(ties["ap_max_over_tie_orders"]) + 1e-9)
