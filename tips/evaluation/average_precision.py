"""PoseTrack's average precision per joint, also on subsets and on bootstrap resamples.

Results equal those of poseval, commit 4258a15, except that equal scores keep file order; poseval
sorts with an unstable algorithm, whose result depends on the CPU.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tips import skeleton
from tips.evaluation.matching import Evidence, count_truth
from tips.evaluation.people import Bools, Clip, Floats, Ints, Rule

_CHUNK = 64  # resamples that are computed at once; so few that the arrays stay in the CPU's cache


class Scores(NamedTuple):
    """Scores of each joint, (15,) each; percent, except for the counts."""

    ap: Floats
    precision: Floats  # at the lowest score
    recall: Floats  # at the lowest score
    n_truth: Ints  # annotated joints
    n_found: Ints  # predicted joints
    n_hit: Ints  # predicted joints that are hits


class Subset(NamedTuple):
    """A part of the truth: which joints of which people belong to it, per clip and counted frame.

    `frames` says which frames belong to it as a whole. It is None if single joints are chosen: then
    a predicted person who was assigned to nobody belongs to no part.
    """

    truth: tuple[tuple[Bools, ...], ...]  # clip, frame -> (P, 15)
    frames: tuple[Bools, ...] | None  # clip -> (F,)


def average_precision(evidence: Evidence, weights: Ints | None = None) -> Scores:
    """Computes the average precision of every joint, its last precision and recall, its counts.

    A joint without predictions scores 0, which enters means. A joint with predictions but without
    truth scores NaN, which does not; with the rule kit21 it scores 0, which does.

    Args:
        evidence: from `match` or `subset`.
        weights: how often each sequence counts (sequences,), integers; None: once.
    """
    if weights is None:
        weights = np.ones(len(evidence.names), dtype=np.int64)
    once = np.asarray(weights)
    per_row = once[evidence.sequence]
    n_found = np.bincount(evidence.joint, per_row, skeleton.COUNT).astype(np.int64)
    n_hit = np.bincount(evidence.joint, per_row * evidence.hit, skeleton.COUNT).astype(np.int64)
    n_truth = once @ evidence.n_truth
    return Scores(
        ap=resampled(evidence, once[None])[0],
        precision=100 * np.divide(n_hit, n_found, out=np.zeros(skeleton.COUNT), where=n_found > 0),
        recall=_percent(n_hit.astype(np.float64), n_truth, n_found, evidence.rule),
        n_truth=n_truth,
        n_found=n_found,
        n_hit=n_hit,
    )


def _percent(area: Floats, n_truth: Ints, n_found: Ints, rule: Rule) -> Floats:
    """Computes 100 area / n_truth; without truth NaN (kit21: 0), without predictions 0."""
    result = np.where((n_found > 0) & (rule == "poseval"), np.nan, 0.0)
    np.divide(100 * area, n_truth, out=result, where=(n_found > 0) & (n_truth > 0))
    return result


def resampled(evidence: Evidence, weights: Ints) -> Floats:
    """Computes the average precision of every joint on many resamples of the sequences.

    A sequence of weight k counts as k copies that follow each other in file order.

    Args:
        evidence: from `match` or `subset`.
        weights: how often each sequence counts, (R, sequences), integers.

    Returns:
        (R, 15), percent; NaN and 0 as in `average_precision`.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or weights.shape[1] != len(evidence.names):
        raise ValueError(
            f"weights need a column per sequence, (R, {len(evidence.names)}); got {weights.shape}"
        )
    n_truth = weights @ evidence.n_truth
    area = np.zeros((len(weights), skeleton.COUNT))
    n_found = np.zeros((len(weights), skeleton.COUNT), dtype=np.int64)
    counts = weights.astype(np.float64)
    for joint, rows in enumerate(_by_joint(evidence.joint)):
        rows = rows[_descending(evidence.score[rows])]
        sequence, hit = evidence.sequence[rows], evidence.hit[rows]
        n_found[:, joint] = weights @ np.bincount(sequence, minlength=weights.shape[1])
        for start in range(0, len(weights), _CHUNK):
            part = slice(start, start + _CHUNK)
            area[part, joint] = _area(counts[part], sequence, hit)
    return _percent(area, n_truth, n_found, evidence.rule)


def _by_joint(joint: Ints) -> list[Ints]:
    """Lists the rows of each of the 15 joints, in order."""
    order = np.argsort(joint.astype(np.int8), kind="stable")  # numpy sorts bytes by radix: fast
    return np.split(order, np.cumsum(np.bincount(joint, minlength=skeleton.COUNT))[:-1])


def _descending(scores: Floats) -> Ints:
    """Sorts scores from high to low, NaN first, equal ones in file order. Returns their places."""
    order = np.argsort(-scores, kind="stable")  # numpy puts NaN last
    return np.roll(order, np.isnan(scores).sum())


def _area(weights: Floats, sequence: Ints, hit: Bools) -> Floats:
    """Sums the envelope of the precision over hits, (R,); divided by n_truth this is the AP.

    Recall changes at hits only, and the envelope at a hit is the precision at that or a later hit.
    So only hits are looked at; misses matter by the rank alone. k copies of a hit have the envelope
    of the last of them.
    """
    each = weights.take(sequence, axis=1)
    rank = np.cumsum(each, axis=1)[:, hit]
    gain = each[:, hit]
    precision = np.cumsum(gain, axis=1)
    np.divide(precision, rank, out=precision, where=rank > 0)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    area: Floats = np.einsum("rn,rn->r", gain, envelope)
    return area


def total(ap: Floats) -> Floats:
    """Computes poseval's "Total", the plain mean over the joints (..., 15) that are not NaN."""
    known = ~np.isnan(ap)
    count = known.sum(axis=-1)
    result = np.full(ap.shape[:-1], np.nan)
    np.divide(np.where(known, ap, 0.0).sum(axis=-1), count, out=result, where=count > 0)
    return result


def columns(ap: Floats) -> dict[str, float]:
    """Computes the seven columns of Tables VIII-XI; a column with a NaN joint is NaN."""
    return {
        name: float(np.mean([ap[skeleton.INDEX[joint]] for joint in joints]))
        for name, joints in skeleton.COLUMNS.items()
    }


def labelled_columns(ap: Floats, body: skeleton.Skeleton = skeleton.POSETRACK) -> dict[str, float]:
    """Computes the seven columns over the joints that are not NaN, as `total` does.

    If one joint is never labelled, such as the nose in some clips, poseval prints NaN for its whole
    column; here the column is the mean of its other joints.
    """
    return {
        name: float(total(ap[[body.joints.index(joint) for joint in joints]]))
        for name, joints in body.columns.items()
    }


def without_false_alarms(evidence: Evidence) -> Evidence:
    """Keeps the hits alone; their AP is the share of annotated joints that were hit, the PCK."""
    return _found(evidence, evidence.hit)


def _found(evidence: Evidence, kept: Bools) -> Evidence:
    """Keeps some of the predicted joints."""
    return evidence._replace(
        joint=evidence.joint[kept],
        score=evidence.score[kept],
        hit=evidence.hit[kept],
        sequence=evidence.sequence[kept],
        frame=evidence.frame[kept],
        person=evidence.person[kept],
    )


def resampled_totals(
    evidence: Evidence, weights: Ints, joints: Sequence[int] = range(skeleton.COUNT)
) -> Floats:
    """Computes poseval's "Total" on many resamples of the sequences, (R,), percent.

    Args:
        evidence: from `match` or `subset`.
        weights: how often each sequence counts, (R, sequences), integers.
        joints: the joints that it is the mean of.
    """
    return total(resampled(evidence, weights)[:, list(joints)])


def frame_subset(clips: Sequence[Clip], frames: Sequence[Bools]) -> Subset:
    """Makes the subset of all people in some frames, from one mask over counted frames per clip."""
    return Subset(
        truth=tuple(
            tuple(
                np.full((len(frame.joints), skeleton.COUNT), chosen)
                for frame, chosen in zip(clip.truth, mask, strict=True)
            )
            for clip, mask in zip(clips, frames, strict=True)
        ),
        frames=tuple(np.asarray(mask, dtype=np.bool_) for mask in frames),
    )


def subset(evidence: Evidence, chosen: Subset) -> Evidence:
    """Restricts evidence to a part of the truth without matching anew.

    Truth outside of the subset does not count, and a predicted joint of a person whose true joint
    is outside is neither hit nor miss. A predicted person who was assigned to nobody is a miss in
    the frames of the subset. If the subset chooses single joints, such people are left out,
    because nothing says which of their joints belong to it. The AP is then an upper bound, which
    may only be compared between rows.
    """
    if len(chosen.truth) != len(evidence.names):
        raise ValueError(
            f"a subset needs a mask per sequence; got {len(chosen.truth)} for "
            f"{len(evidence.names)} sequences"
        )
    masks, starts = _flat_masks(chosen)
    truth_kept = masks[
        starts[evidence.truth[:, 0], evidence.truth[:, 1]] + evidence.truth[:, 2],
        evidence.truth[:, 3],
    ]
    kept = np.zeros(len(evidence.joint), dtype=np.bool_)
    assigned = evidence.person >= 0
    at = starts[evidence.sequence[assigned], evidence.frame[assigned]] + evidence.person[assigned]
    kept[assigned] = masks[at, evidence.joint[assigned]]
    if chosen.frames is not None:
        in_frame = np.zeros(starts.shape, dtype=np.bool_)
        for row, frames in zip(in_frame, chosen.frames, strict=True):
            row[: len(frames)] = frames
        kept[~assigned] = in_frame[evidence.sequence[~assigned], evidence.frame[~assigned]]
    truth = evidence.truth[truth_kept]
    counts = count_truth(truth, len(evidence.names))
    return _found(evidence, kept)._replace(truth=truth, n_truth=counts)


def _flat_masks(chosen: Subset) -> tuple[Bools, Ints]:
    """Stacks all (P, 15) masks; also gives the first row of every frame of every clip."""
    longest = max((len(frames) for frames in chosen.truth), default=0)
    starts = np.zeros((len(chosen.truth), longest), dtype=np.int64)
    rows, next_row = [np.empty((0, skeleton.COUNT), dtype=np.bool_)], 0
    for clip, frames in enumerate(chosen.truth):
        for frame, mask in enumerate(frames):
            starts[clip, frame] = next_row
            next_row += len(mask)
            rows.append(np.asarray(mask, dtype=np.bool_).reshape(-1, skeleton.COUNT))
    return np.concatenate(rows), starts
