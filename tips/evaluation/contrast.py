"""Finds the people on whom two methods differ most, for our counterpart of Fig. 6."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tips.evaluation.people import Clip, Floats, FoundFrame

Place = tuple[str, int, int]  # sequence, position of the frame in it, position of the person there


class Judged(NamedTuple):
    """One person as a method predicts them."""

    joints: Floats  # (15, 2) image px
    errors: Floats  # (15,) in the unit of the clips, such as head sizes; NaN where not annotated
    right: int  # number of joints within the limit

    @property
    def mean(self) -> float:
        """Mean error over the annotated joints."""
        return float(np.nanmean(self.errors))


class Contrast(NamedTuple):
    """One person whom our method and another one predict differently."""

    place: Place
    joints: int  # right joints of ours - those of the other; if above 0, ours wins
    error: float  # mean error of ours - that of the other


def judge(clips: Iterable[Clip], limit: float) -> dict[Place, Judged]:
    """Finds the prediction of every annotated person: that of the same track, else the closest.

    Args:
        clips: truth and predictions of one run.
        limit: largest error of a right joint, in the unit of the clips.

    Returns:
        The people who have a prediction.
    """
    judged = {}
    for clip in clips:
        for position, truth, found in zip(clip.positions, clip.truth, clip.found, strict=True):
            for person, joints in enumerate(truth.joints):
                labelled = np.isfinite(joints).all(axis=1)
                if not labelled.any():
                    continue
                poses = _candidates(found, truth.tracks[person])
                errors = np.linalg.norm(poses - joints, axis=-1) / truth.heads[person]
                means = np.where(labelled, errors, 0).sum(axis=1) / labelled.sum()
                if np.isfinite(means).any():
                    best = int(np.argmin(means))
                    errors = np.where(labelled, errors[best], np.nan)
                    right = int((errors <= limit).sum())
                    judged[clip.name, position, person] = Judged(poses[best], errors, right)
    return judged


def _candidates(found: FoundFrame, track: int) -> Floats:
    """Gives the poses (Q, 15, 2) that may be a person's."""
    own = [index for index, other in enumerate(found.tracks) if other == track >= 0]
    return found.joints[own] if own else found.joints


def best(
    methods: Mapping[str, Mapping[Place, Judged]], names: Sequence[str], people: Sequence[Place]
) -> str:
    """Names the method with the most right joints; of equals the first.

    Args:
        methods: people of each method, by its name.
        names: the methods to choose among.
        people: the people that count; all of these methods must have them.
    """
    right = {name: sum(methods[name][place].right for place in people) for name in names}
    return max(names, key=lambda name: right[name])


def shared(methods: Sequence[Mapping[Place, Judged]]) -> list[Place]:
    """Lists the people whom every method has, by sequence, frame and person."""
    return sorted(set.intersection(*(set(one) for one in methods)))


def extremes(
    ours: Mapping[Place, Judged], other: Mapping[Place, Judged], people: Sequence[Place], count: int
) -> tuple[list[Contrast], list[Contrast]]:
    """Lists the largest wins and the largest losses of ours, at most one of each per sequence.

    They are ordered by the difference in right joints, then by that in mean error. A person with
    equally many right joints in both is neither win nor loss.

    Args:
        ours: people of our method.
        other: people of the other method.
        people: the people to choose among; both methods must have them.
        count: largest number of wins, and of losses.
    """
    pairs = [(place, ours[place], other[place]) for place in people]
    found = [Contrast(place, a.right - b.right, a.mean - b.mean) for place, a, b in pairs]
    wins = [one for one in found if one.joints > 0]
    losses = [one for one in found if one.joints < 0]
    wins.sort(key=lambda one: (-one.joints, one.error))
    losses.sort(key=lambda one: (one.joints, -one.error))
    return _one_per_sequence(wins)[:count], _one_per_sequence(losses)[:count]


def _one_per_sequence(ordered: Iterable[Contrast]) -> list[Contrast]:
    firsts: dict[str, Contrast] = {}
    for one in ordered:
        firsts.setdefault(one.place[0], one)
    return list(firsts.values())
