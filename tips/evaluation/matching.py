"""Which predicted joint is a hit: poseval's ignore step, distances, assignment and labels.

Reference: poseval, commit 4258a15. Everything here happens once per run; average precision on
subsets and on bootstrap resamples is then computed from the resulting `Evidence`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import shapely

from tips import skeleton
from tips.evaluation.people import Bools, Clip, Floats, Ints

THRESHOLD = 0.5  # of a head size, inclusive


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


def match(clips: Sequence[Clip], threshold: float = THRESHOLD) -> Evidence:
    """Labels every predicted joint hit or miss and counts the annotated joints.

    Args:
        clips: truth and predictions; ignore regions are applied here.
        threshold: largest distance of a hit, in head sizes.
    """
    rows = [_match_clip(index, clean(clip), threshold) for index, clip in enumerate(clips)]
    found = np.concatenate([row[0] for row in rows] or [np.empty((0, 5), np.int64)])
    truth = np.concatenate([row[2] for row in rows] or [np.empty((0, 4), np.int64)])
    return Evidence(
        names=tuple(clip.name for clip in clips),
        strata=tuple(clip.stratum for clip in clips),
        joint=found[:, 2],
        score=np.concatenate([row[1] for row in rows] or [np.empty(0)]),
        hit=found[:, 4].astype(np.bool_),
        sequence=found[:, 0],
        frame=found[:, 1],
        person=found[:, 3],
        truth=truth,
        n_truth=count_truth(truth, len(clips)),
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
    truth, found = [], []
    for annotated, predicted in zip(clip.truth, clip.found, strict=True):
        truth.append(annotated._replace(joints=_outside(annotated.joints, annotated.ignore)))
        found.append(predicted._replace(joints=_outside(predicted.joints, annotated.ignore)))
    return clip._replace(truth=tuple(truth), found=tuple(found))


def _outside(joints: Floats, ignore: Sequence[Floats]) -> Floats:
    if not ignore or joints.size == 0:
        return joints
    return np.where(inside(joints, ignore)[..., None], np.nan, joints)


def inside(points: Floats, polygons: Sequence[Floats]) -> Bools:
    """Whether points (..., 2) lie strictly inside any polygon; edges and vertices are outside.

    A ring that crosses itself is filled even-odd, as shapely's `contains` has it.
    """
    result = np.zeros(points.shape[:-1], dtype=np.bool_)
    finite = np.isfinite(points).all(axis=-1)
    x, y = points[finite].T
    for ring in polygons:
        if len(ring):
            region = shapely.Polygon(ring)
            shapely.prepare(region)
            result[finite] |= shapely.contains_xy(region, x, y)
    return result


def hits(truth: Floats, heads: Floats, found: Floats, threshold: float = THRESHOLD) -> Bools:
    """Whether each predicted joint lies within the threshold of each person's joint.

    Args:
        truth: annotated joints (F, P, 15, 2), image px, NaN where absent.
        heads: head sizes (F, P), image px; a head of size zero is never hit.
        found: predicted joints (F, Q, 15, 2), image px, NaN where absent.
        threshold: largest distance of a hit, in head sizes.

    Returns:
        (F, Q, P, 15)
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = truth[:, None] - found[:, :, None]
        distance = np.sqrt(offset[..., 0] ** 2 + offset[..., 1] ** 2)
        near: Bools = distance / heads[:, None, :, None] <= threshold
    return near


def assign(near: Bools, annotated: Ints) -> Ints:
    """Gives each predicted person the annotated person it stands for, or -1.

    Every prediction keeps only the person on whom most joints hit (share of that person's
    annotated joints, first on ties); every person then takes the best of the predictions that
    kept it. There is no second round, and scores play no part.

    Args:
        near: (F, Q, P, 15) from `hits`.
        annotated: joints per person (F, P).

    Returns:
        place of the person (F, Q), -1 where none.
    """
    frames, predicted, people, _ = near.shape
    person = np.full((frames, predicted), -1, dtype=np.int64)
    if not near.size:
        return person
    share = near.sum(axis=-1) / np.maximum(annotated, 1)[:, None, :]
    best = share.argmax(axis=2)
    kept = np.where(np.arange(people) == best[..., None], share, 0.0)
    winner = kept.argmax(axis=1)
    frame, taken = np.nonzero(kept.max(axis=1) > 0)
    person[frame, winner[frame, taken]] = taken
    return person


def _match_clip(index: int, clip: Clip, threshold: float) -> tuple[Ints, Floats, Ints]:
    if not clip.truth:
        return np.empty((0, 5), np.int64), np.empty(0), np.empty((0, 4), np.int64)
    truth = _padded([frame.joints for frame in clip.truth])
    heads = _padded([frame.heads for frame in clip.truth])
    found = _padded([frame.joints for frame in clip.found])
    scores = _padded([frame.scores for frame in clip.found])
    present = ~np.isnan(found).any(axis=-1)
    annotated = ~np.isnan(truth).any(axis=-1)
    near = hits(truth, heads, found, threshold)
    person = assign(near, annotated.sum(axis=-1))
    if near.size:
        chosen = np.maximum(person, 0)[:, :, None, None]
        hit = np.take_along_axis(near, chosen, axis=2)[:, :, 0] & (person >= 0)[..., None]
    else:
        hit = np.zeros_like(present)
    frame, who, joint = np.nonzero(present)
    rows = np.stack(
        [np.full_like(frame, index), frame, joint, person[frame, who], hit[present]], axis=1
    )
    frames, people, joints = np.nonzero(annotated)
    true_rows = np.stack([np.full_like(frames, index), frames, people, joints], axis=1)
    return rows, scores[present], true_rows


def _padded(frames: Sequence[Floats]) -> Floats:
    """Arrays (P_f, ...) of several frames as one (F, max P, ...), NaN where there is nobody."""
    most = max(len(frame) for frame in frames)
    result = np.full((len(frames), most, *frames[0].shape[1:]), np.nan)
    for row, frame in zip(result, frames, strict=True):
        row[: len(frame)] = frame
    return result
