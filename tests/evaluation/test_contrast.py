import numpy as np
import pytest

from tips.evaluation.contrast import Contrast, Judged, best, extremes, judge, shared
from tips.evaluation.people import Clip, FoundFrame, TruthFrame, no_people

LIMIT = 0.5


def clip(shifts: list[float], tracks: tuple[int, ...], name: str = "a") -> Clip:
    """Two annotated people (tracks 4 and 7, heads 10 px); poses are the first, moved to the right.

    The second person is 200 px to the right of the first and lacks joint 0.
    """
    one = np.arange(30.0).reshape(15, 2)
    joints = np.stack([one, one + np.array([200, 0])])
    poses = np.stack([one + np.array([shift, 0]) for shift in shifts])
    joints[1, 0] = np.nan
    truth = TruthFrame(joints, np.array([10.0, 10.0]), tracks=(4, 7))
    found = FoundFrame(poses, np.ones((len(shifts), 15)), np.ones(len(shifts)), tracks)
    return Clip(name, "run", (3, 5), (truth, truth), (found, no_people()))


def test_a_pose_belongs_to_its_track() -> None:
    judged = judge([clip([198.0, 1.0], (4, 7))], LIMIT)
    assert set(judged) == {("a", 3, 0), ("a", 3, 1)}  # nobody was found on frame 5
    assert judged["a", 3, 0].mean == pytest.approx(19.8)
    assert judged["a", 3, 1].mean == pytest.approx(19.9)


def test_without_tracks_the_closest_pose_is_taken() -> None:
    judged = judge([clip([198.0, 1.0], (-1, -1))], LIMIT)
    first, second = judged["a", 3, 0], judged["a", 3, 1]
    assert (first.mean, second.mean) == pytest.approx((0.1, 0.2))
    assert (first.right, second.right) == (15, 14)
    assert np.isnan(second.errors[0])
    assert second.joints[1, 0] == pytest.approx(200.0)


def test_the_limit_itself_is_right_as_in_the_metric() -> None:
    assert judge([clip([5.0, 200.0], (4, 7))], LIMIT)["a", 3, 0].right == 15
    assert judge([clip([5.001, 200.0], (4, 7))], LIMIT)["a", 3, 0].right == 0


def seen(right: int, error: float = 1.0) -> Judged:
    return Judged(np.zeros((15, 2)), np.full(15, error), right)


def test_best_is_who_has_most_right_among_the_people_of_all() -> None:
    methods = {
        "lucky": {("a", 0, 0): seen(3), ("b", 0, 0): seen(15)},
        "good": {("a", 0, 0): seen(5)},
        "equal": {("a", 0, 0): seen(5)},
    }
    people = shared(list(methods.values()))
    assert people == [("a", 0, 0)]
    assert best(methods, ["lucky", "good", "equal"], people) == "good"
    assert best(methods, ["equal", "good"], people) == "equal"


def test_best_counts_the_people_it_is_given_alone() -> None:
    methods = {
        "elsewhere": {("a", 0, 0): seen(3), ("b", 0, 0): seen(15)},
        "here": {("a", 0, 0): seen(5), ("b", 0, 0): seen(1)},
    }
    assert best(methods, list(methods), [("a", 0, 0)]) == "here"


def test_extremes_are_wins_and_losses_alike_one_per_sequence() -> None:
    ours = {
        ("a", 0, 0): seen(9),
        ("a", 1, 0): seen(8),  # the sequence has a larger win
        ("b", 0, 0): seen(6, 0.5),  # as many joints as c, by a larger distance
        ("c", 0, 0): seen(6, 0.9),
        ("d", 0, 0): seen(4),  # equal: neither
        ("e", 0, 0): seen(3),
        ("f", 0, 0): seen(0, 3.0),
        ("g", 0, 0): seen(0, 3.0),  # equal to f in everything: the first is taken
    }
    other = {place: seen(4) for place in ours}
    wins, losses = extremes(ours, other, sorted(ours), 2)
    assert wins == [Contrast(("a", 0, 0), 5, 0.0), Contrast(("b", 0, 0), 2, -0.5)]
    assert [one.place[0] for one in losses] == ["f", "g"]
    swapped = extremes(other, ours, sorted(ours), 2)
    assert [[one.place for one in part] for part in swapped] == [
        [one.place for one in part] for part in (losses, wins)
    ]
    assert [len(part) for part in extremes(ours, other, sorted(ours), 9)] == [3, 3]
    assert extremes(other, other, sorted(ours), 2) == ([], [])
