"""Where two methods differ most on the same people: what Fig. 6's counterpart shows."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tips.evaluation.people import Clip, Floats, FoundFrame

Place = tuple[str, int, int]  # sequence, frame's position in it, person's in that frame's list


class Judged(NamedTuple):
    """One person as a method sees them."""

    joints: Floats  # (15, 2) image px
    errors: Floats  # (15,) in the unit of the clips (head sizes); NaN where not annotated
    right: int  # joints within the limit

    @property
    def mean(self) -> float:
        """Mean error over the annotated joints."""
        return float(np.nanmean(self.errors))


class Contrast(NamedTuple):
    """One person whom ours and the other method see differently."""

    place: Place
    joints: int  # right in ours - right in the other's; above 0 ours wins
    error: float  # mean error, ours - other's


def judge(clips: Iterable[Clip], limit: float) -> dict[Place, Judged]:
    """Finds the prediction of every annotated person that has one: by track, else the closest.

    Args:
        clips: truth and predictions of one run.
        limit: largest error of a joint that is right, in the unit of the clips.
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
    """The poses (Q, 15, 2) that may be a person's."""
    own = [index for index, other in enumerate(found.tracks) if other == track >= 0]
    return found.joints[own] if own else found.joints


def best(
    methods: Mapping[str, Mapping[Place, Judged]], names: Sequence[str], people: Sequence[Place]
) -> str:
    """The method with most right joints of people whom all of them have; first of equals."""
    right = {name: sum(methods[name][place].right for place in people) for name in names}
    return max(names, key=lambda name: right[name])


def shared(methods: Sequence[Mapping[Place, Judged]]) -> list[Place]:
    """People whom every method has, in the order of sequence, frame and person."""
    return sorted(set.intersection(*(set(one) for one in methods)))


def extremes(
    ours: Mapping[Place, Judged], other: Mapping[Place, Judged], people: Sequence[Place], count: int
) -> tuple[list[Contrast], list[Contrast]]:
    """The largest wins and the largest losses of ours, at most one of each per sequence.

    Counted in right joints; of equals, the one with the larger difference in mean error, then the
    first. A person on whom both see equally many joints right is neither.

    Args:
        ours: a method's people.
        other: another's.
        people: those to choose among.
        count: of wins and of losses, at most.
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
