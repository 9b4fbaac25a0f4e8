"""Trainings on cards: what waits, what comes first, and bounds that no schedule passes."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.config import ConfigError, load_study
from tips.freshness import training_digest
from tips.paths import study_paths
from tips.planning import hours
from tips.planning.resources import RUNTIMES_MORE, START, training_minutes
from tips.planning.timetable import Task, schedule, tasks

REPOSITORY = Path(__file__).parents[2]


def total(some: tuple[Task, ...]) -> float:
    return sum(task.hours for task in some)


def test_a_backbone_comes_first_and_the_longest_chain_begins() -> None:
    found = [Task("a", 1, None), Task("b", 2, None), Task("c", 5, "a"), Task("d", 1, "b")]
    made = schedule(found, cards=1, ranks=1)
    assert [one.task.name for one in made.laid] == ["a", "c", "b", "d"]
    assert (made.wall, made.busy) == (9, 1)
    two = schedule(found, cards=2, ranks=1)
    assert {one.task.name: one.begins for one in two.laid} == {"a": 0, "b": 0, "c": 1, "d": 2}
    assert [task.name for task in two.critical] == ["a", "c"]
    assert two.wall == total(two.critical) == 6


@given(
    st.lists(st.floats(0.1, 9), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.floats(0.1, 9)), max_size=12),
    st.integers(1, 5),
)
def test_no_bound_is_passed(
    first: list[float], second: list[tuple[int, float]], cards: int
) -> None:
    found = [Task(f"one-{k}", took, None) for k, took in enumerate(first)]
    found += [
        Task(f"two-{k}", took, f"one-{on % len(first)}") for k, (on, took) in enumerate(second)
    ]
    made = schedule(found, cards, ranks=1)
    assert sorted(one.task.name for one in made.laid) == sorted(task.name for task in found)
    ends = {one.task.name: one.ends for one in made.laid}
    assert all(one.begins >= ends.get(one.task.after or "", 0) for one in made.laid)
    for one in made.laid:  # never more than there are cards
        at_once = [x for x in made.laid if x.begins <= one.begins < x.ends]
        assert len(at_once) <= cards
    least = max(total(made.critical), sum(task.hours for task in found) / cards)
    # Graham's bound for list scheduling.
    most = sum(task.hours for task in found) / cards + total(made.critical)
    assert least - 1e-9 <= made.wall <= most + 1e-9


def test_ranks_share_cards_and_hours() -> None:
    study = load_study("paper-posetrack17", REPOSITORY / "experiments", "nowhere")
    one = hours.trainings(study, hours.Windows(800, ""), lambda name: hours.StepTime(3.6, ""))
    alone = tasks(study, one)
    study = study._replace(scale=study.scale.model_copy(update={"ranks": 4}))
    shared = tasks(study, one)
    assert sum(t.hours for t in shared) == pytest.approx(sum(t.hours for t in alone) / 4)
    assert schedule(shared, 8, ranks=4).busy <= 1
    with pytest.raises(ConfigError, match="at least 4"):
        schedule(shared, 3, ranks=4)


@pytest.mark.parametrize("before", [1, 2])
def test_a_training_that_several_cards_shared_tells_what_one_takes(
    tmp_path: Path, before: int
) -> None:
    """Whatever ranks were and are: a step of one card takes 3 s, and its share of that on each."""
    study = load_study("paper-posetrack17", REPOSITORY / "experiments", "nowhere")
    paths = study_paths(study.scale)._replace(results=tmp_path)
    folder = paths.run("hrnet", "0")
    folder.mkdir(parents=True)
    experiment = study.variant("hrnet").experiment
    count = hours.steps(experiment, study, hours.published_windows(study))
    record = {
        "config_digest": training_digest(experiment, study.scale),
        **{"device": "cpu", "steps": count, "seconds": 3.0 * count / before, "ranks": before},
    }
    (folder / "provenance.json").write_text(json.dumps(record))
    step = hours.measured_times(study, paths)["hrnet"]
    assert step.seconds == pytest.approx(3)
    assert hours.taken(study, paths)["hrnet"] == (1, pytest.approx(3 * count / 3600))
    for now in (1, 4):
        shared = study._replace(scale=study.scale.model_copy(update={"ranks": now}))
        asked = training_minutes(shared, paths, 10**6)("hrnet")
        assert asked == START + math.ceil(RUNTIMES_MORE * count * 3 / 60 / now)
    (folder / "provenance.json").write_text('{"trigger": "ab"}')
    assert training_minutes(study, paths, 777)("hrnet") == 777
