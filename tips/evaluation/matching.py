"""Decides which predicted joint is a hit, as poseval does: ignore regions, distances, assignment.

Results equal those of poseval, commit 4258a15. This is done once per run; average precision on
subsets and on bootstrap resamples is then computed from the resulting `Evidence`.

The people of all frames are rows of the same arrays, which have no axis for frames. `_ranges` makes
the pairs (predicted person, annotated person) and (ignore region, person) within equal frames.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tips import skeleton
from tips.evaluation.ignore import inside_pairs, places
from tips.evaluation.people import Bools, Clip, Floats, Ints, Rule, TruthFrame, lengths

THRESHOLD = 0.5  # head sizes, inclusive
_PAIRS = 8_000  # pairs of people at once; so few that the arrays stay in the CPU's cache


class Evidence(NamedTuple):
    """One row per predicted joint (n) and one per annotated joint (m), and counts of the truth.

    `frame` numbers the clip's counted frames. `person` is the place of the annotated person in the
    list of that frame; -1 for a predicted person who was assigned to nobody. Rows are in file
    order, which decides between equal scores.
    """

    names: tuple[str, ...]
    strata: tuple[str, ...]
    joint: Ints  # (n,)
    score: Floats  # (n,)
    hit: Bools  # (n,)
    sequence: Ints  # (n,)
    frame: Ints  # (n,)
    person: Ints  # (n,)
    truth: Ints  # (m, 4): sequence, frame, person, joint
    n_truth: Ints  # (sequences, 15)
    rule: Rule = "poseval"


class _People(NamedTuple):
    """Copies of the people of several frames, one frame after the other."""

    joints: Floats  # (n, 15, 2) image px
    frame: Ints  # (n,)
    place: Ints  # (n,) place in the frame's list
    first: Ints  # (frames,) first person of each frame
    size: Ints  # (frames,) number of people of each frame


def match(clips: Sequence[Clip], threshold: float = THRESHOLD, rule: Rule = "poseval") -> Evidence:
    """Labels every predicted joint hit or miss and counts the annotated joints.

    Args:
        clips: truth and predictions, read by the same rule; ignore regions are applied here.
        threshold: largest distance of a hit, head sizes.
        rule: with "kit21" a joint exists only if both coordinates are positive.
    """
    parts = [_match(batch, clips, threshold, rule) for batch in _batches(clips)]
    joint, score, hit, sequence, frame, person, truth = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    return Evidence(
        names=tuple(clip.name for clip in clips),
        strata=tuple(clip.stratum for clip in clips),
        joint=joint,
        score=score,
        hit=hit,
        sequence=sequence,
        frame=frame,
        person=person,
        truth=truth,
        n_truth=count_truth(truth, len(clips)),
        rule=rule,
    )


def count_truth(truth: Ints, sequences: int) -> Ints:
    """Counts the annotated joints of each sequence, (sequences, 15)."""
    flat = truth[:, 0] * skeleton.COUNT + truth[:, 3]
    counts = np.bincount(flat, minlength=sequences * skeleton.COUNT)
    return counts.reshape(sequences, skeleton.COUNT).astype(np.int64)


def clean(clip: Clip) -> Clip:
    """Deletes every annotated and predicted joint strictly inside an ignore region."""
    if not any(frame.ignore for frame in clip.truth):
        return clip
    truth = _seen(_stacked([frame.joints for frame in clip.truth]), clip.truth, "poseval")
    found = _seen(_stacked([frame.joints for frame in clip.found]), clip.truth, "poseval")
    left, right = (np.split(side.joints, side.first[1:]) for side in (truth, found))
    return clip._replace(
        truth=tuple(f._replace(joints=j) for f, j in zip(clip.truth, left, strict=True)),
        found=tuple(f._replace(joints=j) for f, j in zip(clip.found, right, strict=True)),
    )


def hits(truth: Floats, heads: Floats, found: Floats, threshold: float = THRESHOLD) -> Bools:
    """Tells which joints of a predicted person lie within the threshold of an annotated person's.

    Args:
        truth: annotated joints (pairs, 15, 2), image px, NaN where absent.
        heads: head sizes (pairs,), image px; with a head of size zero nothing is a hit.
        found: predicted joints (pairs, 15, 2), image px, NaN where absent.
        threshold: largest distance of a hit, head sizes.

    Returns:
        (pairs, 15)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = lengths(truth - found)
        distance /= heads[:, None]
        near: Bools = distance <= threshold
    return near


def assign(share: Floats, found: Ints, truth: Ints) -> Ints:
    """Assigns predicted people to annotated people.

    Every predicted person chooses the annotated person of whose joints it hits the largest share,
    the first of equals. Then every annotated person keeps the best of the predictions that chose
    it. There is no second round, and scores do not matter.

    Args:
        share: share of hit joints of each pair (pairs,).
        found: predicted person of each pair (pairs,), ascending.
        truth: annotated person of each pair (pairs,), ascending within a predicted person.

    Returns:
        The assigned pairs, as places in the arguments.
    """
    kept = _first_best(found, share)
    won = kept[_first_best(truth[kept], share[kept])]
    return won[share[won] > 0]


def _first_best(group: Ints, value: Floats) -> Ints:
    """Finds the place of the largest value of every group, the first of equals."""
    order = np.lexsort((-value, group))
    return order[np.diff(group[order], prepend=-1) > 0]


def _batches(clips: Sequence[Clip]) -> Iterator[range]:
    """Yields clips in order, several at once, but only so many that their pairs fit into memory."""
    start = pairs = 0
    for index, clip in enumerate(clips):
        own = sum(
            len(truth.joints) * len(found.joints)
            for truth, found in zip(clip.truth, clip.found, strict=True)
        )
        if index > start and pairs + own > _PAIRS:
            yield range(start, index)
            start, pairs = index, 0
        pairs += own
    yield range(start, len(clips))


def _match(
    batch: range, clips: Sequence[Clip], threshold: float, rule: Rule
) -> tuple[Ints, Floats, Bools, Ints, Ints, Ints, Ints]:
    """Computes the columns of `Evidence` from `joint` to `truth`."""
    chosen = [clips[index] for index in batch]
    truths = [frame for clip in chosen for frame in clip.truth]
    founds = [frame for clip in chosen for frame in clip.found]
    truth, found = _stacked([f.joints for f in truths]), _stacked([f.joints for f in founds])
    truth, found = _seen(truth, truths, rule), _seen(found, truths, rule)
    annotated, present = ~np.isnan(truth.joints[..., 0]), ~np.isnan(found.joints[..., 0])
    pair_found, pair_truth = _ranges(truth.first[found.frame], truth.size[found.frame])
    heads = np.concatenate([np.empty(0), *(frame.heads for frame in truths)])
    near = hits(truth.joints[pair_truth], heads[pair_truth], found.joints[pair_found], threshold)
    share = near.sum(axis=1) / np.maximum(annotated.sum(axis=1), 1)[pair_truth]
    pairs = assign(share, pair_found, pair_truth)
    person = np.full(len(found.joints), -1)
    person[pair_found[pairs]] = truth.place[pair_truth[pairs]]
    hit = np.zeros(present.shape, dtype=np.bool_)
    hit[pair_found[pairs]] = near[pairs]
    # Frames are numbered within their clip, not within the batch.
    sequence = np.repeat(np.array(batch, np.int64), [len(clip.truth) for clip in chosen])
    number = np.array([i for clip in chosen for i in range(len(clip.truth))], dtype=np.int64)
    scores = np.concatenate([np.empty((0, skeleton.COUNT)), *(frame.scores for frame in founds)])
    who, joint = places(present)
    at = found.frame[who]
    true_who, true_joint = places(annotated)
    true_at = truth.frame[true_who]
    true_rows = (sequence[true_at], number[true_at], truth.place[true_who], true_joint)
    return (
        joint,
        scores[present],
        hit[present],
        sequence[at],
        number[at],
        person[who],
        np.stack(true_rows, axis=1),
    )


def _stacked(frames: Sequence[Floats]) -> _People:
    count = np.array([len(frame) for frame in frames], dtype=np.int64)
    first = np.cumsum(count) - count
    frame, row = _ranges(first, count)
    joints = np.concatenate([np.empty((0, skeleton.COUNT, 2)), *frames])
    return _People(joints, frame, row - first[frame], first, count)


def _ranges(first: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Gives `count` consecutive numbers from each `first` on, and the place that each is from."""
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return owner, (first - before)[owner] + np.arange(len(owner))


def _seen(people: _People, truths: Sequence[TruthFrame], rule: Rule) -> _People:
    """Sets the joints that do not count to NaN: in ignore regions, incomplete, or by the rule."""
    gone = _ignored(people, truths) | np.isnan(people.joints).any(axis=-1)
    if rule == "kit21":
        gone |= ~(people.joints > 0).all(axis=-1)
    people.joints[gone] = np.nan
    return people


def _ignored(people: _People, truths: Sequence[TruthFrame]) -> Bools:
    """Tells which joints lie strictly inside an ignore region of their frame, (n, 15)."""
    result = np.zeros(people.joints.shape[:2], dtype=np.bool_)
    frame_of, rings = [], []
    for frame, truth in enumerate(truths):
        for ring in truth.ignore:
            if len(ring):
                frame_of.append(frame)
                rings.append(ring)
    first, count = people.first[frame_of], people.size[frame_of]
    ring_of, person = _ranges(first, count)
    pair, joint = places(inside_pairs(people.joints[person], rings, ring_of))
    result[person[pair], joint] = True
    return result
