"""What deciding a conclusion costs, in jobs and minutes."""

import pytest

from tips.evaluation.power import Plan
from tips.planning.deciding import Side, cost, jobs

TIPS, BACKBONE = Side("tips", 3, grows=True), Side("hrnet", 1, grows=False)
TIMES = {"train": 60.0, "predict": 6.0, "evaluate": 2.0}


def seconds(rule: str, variant: str) -> float | None:
    return TIMES.get(rule)


def test_more_seeds_train_and_score_the_new_networks_alone() -> None:
    found = jobs(TIPS, Plan(5, 100), 100)
    assert found == {"features": 2, "train": 2, "predict": 2, "evaluate": 2}
    assert cost([TIPS, BACKBONE], Plan(5, 100), 100, seconds).minutes == pytest.approx(136 / 60)


def test_more_sequences_are_predicted_by_every_network() -> None:
    assert jobs(TIPS, Plan(3, 300), 100) == {"predict": 9, "evaluate": 9}
    assert jobs(BACKBONE, Plan(3, 300), 100) == {"predict": 3, "evaluate": 3}
    assert jobs(TIPS, Plan(4, 200), 100)["predict"] == 8


def test_enough_seeds_and_a_shared_network_cost_nothing() -> None:
    assert jobs(TIPS, Plan(2, 100), 100) == {}
    assert jobs(BACKBONE, Plan(9, 100), 100) == {}
    assert cost([BACKBONE], Plan(9, 100), 100, lambda *_: None) == (0, "")


def test_an_unknown_time_is_named_and_no_minutes_are_told() -> None:
    def without(rule: str, variant: str) -> float | None:
        return None if rule == "predict" else TIMES.get(rule)

    found = cost([TIPS, BACKBONE], Plan(5, 100), 100, without)
    assert found == (None, "no times of tips")


def test_features_are_made_once_for_both_rows() -> None:
    one = cost([TIPS], Plan(4, 100), 100, lambda rule, _: 6.0)
    assert one.minutes == pytest.approx(0.4)
    both = cost([TIPS, TIPS], Plan(4, 100), 100, lambda rule, _: 6.0)
    assert both.minutes == pytest.approx(2 * 0.3 + 0.1)
