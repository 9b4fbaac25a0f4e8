"""Which predicted joint is a hit: the ignore step, distances, assignment and labels of poseval.

Reference: poseval, commit 4258a15. Everything here happens once per run; average precision on
subsets and on bootstrap resamples is then computed from the resulting `Evidence`.

People lie under each other in arrays without a frame axis; `_ranges` makes the pairs (predicted
person, annotated person) and (ignore region, person) of equal frames.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tips import skeleton
from tips.evaluation.ignore import inside_pairs, places
from tips.evaluation.people import Bools, Clip, Floats, Ints, Rule, TruthFrame, lengths

THRESHOLD = 0.5  # of a head size, inclusive
_PAIRS = 8_000  # of people at a time: the working arrays stay in the cache


class Evidence(NamedTuple):
    """One row per predicted joint (n) and one per annotated joint (m), and their counts.

    `frame` counts the clip's counted frames; `person` is the place of a person in the truth's
    list of that frame, -1 for a predicted person that was assigned to nobody. Rows are in file
    order, which settles ties.
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
    """Own copies of people of several frames under each other; a frame's are neighbours."""

    joints: Floats  # (n, 15, 2)
    frame: Ints  # (n,)
    place: Ints  # (n,) in the frame's list
    first: Ints  # (frames,)
    size: Ints  # (frames,)


def match(clips: Sequence[Clip], threshold: float = THRESHOLD, rule: Rule = "poseval") -> Evidence:
    """Labels every predicted joint hit or miss and counts the annotated joints.

    Args:
        clips: truth and predictions, read under the same rule; ignore regions are applied here.
        threshold: largest distance of a hit, in head sizes.
        rule: under "kit21" joints exist only where both coordinates are positive.
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
    """Annotated joints per sequence and joint, (sequences, 15)."""
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
    """Whether each joint of a predicted person lies within the threshold of an annotated one's.

    Args:
        truth: annotated joints (pairs, 15, 2), image px, NaN where absent.
        heads: head sizes (pairs,), image px; a head of size zero is never hit.
        found: predicted joints (pairs, 15, 2), image px, NaN where absent.
        threshold: largest distance of a hit, in head sizes.

    Returns:
        (pairs, 15)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = lengths(truth - found)
        distance /= heads[:, None]
        near: Bools = distance <= threshold
    return near


def assign(share: Floats, found: Ints, truth: Ints) -> Ints:
    """Gives predicted people the annotated people they stand for.

    Every prediction keeps only the person on whom most joints hit (share of that person's
    annotated joints, first on ties); every person then takes the best of the predictions that
    kept it. There is no second round, and scores play no part.

    Args:
        share: of each pair (pairs,).
        found: its predicted person (pairs,), ascending.
        truth: its annotated person (pairs,), ascending among pairs of one predicted person.

    Returns:
        The pairs that stand, as places in the arguments; others are assigned to nobody.
    """
    kept = _first_best(found, share)
    won = kept[_first_best(truth[kept], share[kept])]
    return won[share[won] > 0]


def _first_best(group: Ints, value: Floats) -> Ints:
    """Place of the largest value of every group, the first on ties."""
    order = np.lexsort((-value, group))
    return order[np.diff(group[order], prepend=-1) > 0]


def _batches(clips: Sequence[Clip]) -> Iterator[range]:
    """Clips in order, several at a time, so that all pairs of a batch fit into memory."""
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
    """Columns of `Evidence` from `joint` to `truth`."""
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
    # Frames are counted per clip, not per batch.
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
    """Counts up from every `first` as often as `count` says; also who each number belongs to."""
    owner = np.repeat(np.arange(len(count)), count)
    before = np.cumsum(count) - count
    return owner, (first - before)[owner] + np.arange(len(owner))


def _seen(people: _People, truths: Sequence[TruthFrame], rule: Rule) -> _People:
    """The people without the joints that do not count, which become NaN."""
    gone = _ignored(people, truths) | np.isnan(people.joints).any(axis=-1)
    if rule == "kit21":
        gone |= ~(people.joints > 0).all(axis=-1)
    people.joints[gone] = np.nan
    return people


def _ignored(people: _People, truths: Sequence[TruthFrame]) -> Bools:
    """Which joints lie strictly inside an ignore region of their frame, (n, 15)."""
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
