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

    @property
    def mean(self) -> float:
        """Over the annotated joints."""
        return float(np.nanmean(self.errors))


class Contrast(NamedTuple):
    """One person whom ours and the other method see differently."""

    place: Place
    difference: float  # mean error, ours - other; below 0 ours is closer


def judge(clips: Iterable[Clip]) -> dict[Place, Judged]:
    """Finds the prediction of every annotated person that has one: by track, else the closest.

    Args:
        clips: truth and predictions of one run.
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
                    judged[clip.name, position, person] = Judged(poses[best], errors)
    return judged


def _candidates(found: FoundFrame, track: int) -> Floats:
    """The poses (Q, 15, 2) that may be a person's."""
    own = [index for index, other in enumerate(found.tracks) if other == track >= 0]
    return found.joints[own] if own else found.joints


def best(methods: Mapping[str, Mapping[Place, Judged]], names: Sequence[str]) -> str:
    """The method of least mean error over the people whom all of them have; first of equals."""
    people = shared([methods[name] for name in names])
    means = {name: np.mean([methods[name][place].mean for place in people]) for name in names}
    return min(names, key=lambda name: means[name])


def shared(methods: Sequence[Mapping[Place, Judged]]) -> list[Place]:
    """People whom every method has, in the order of sequence, frame and person."""
    return sorted(set.intersection(*(set(one) for one in methods)))


def extremes(
    ours: Mapping[Place, Judged], other: Mapping[Place, Judged], people: Sequence[Place], count: int
) -> tuple[list[Contrast], list[Contrast]]:
    """The largest wins and the largest losses of ours, at most one of each per sequence.

    Args:
        ours: a method's people.
        other: another's.
        people: those to choose among; the first of equals is taken.
        count: of wins and of losses, at most.
    """
    found = [Contrast(place, ours[place].mean - other[place].mean) for place in people]
    wins = sorted((one for one in found if one.difference < 0), key=lambda one: one.difference)
    losses = sorted((one for one in found if one.difference > 0), key=lambda one: -one.difference)
    return _one_per_sequence(wins)[:count], _one_per_sequence(losses)[:count]


def _one_per_sequence(ordered: Iterable[Contrast]) -> list[Contrast]:
    firsts: dict[str, Contrast] = {}
    for one in ordered:
        firsts.setdefault(one.place[0], one)
    return list(firsts.values())
