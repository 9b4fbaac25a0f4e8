"""PCK for JHMDB and sub-JHMDB (Table XI): hits within a share of the person's size.

No paper of the table defines its metric. Where a row's metric can be traced, distances are divided
by the size of the person's box, and 0.2 is the limit. "Avg" of older rows is the mean of the seven
columns; that of recent rows can only be a mean over all 15 joints.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from tips import records, skeleton
from tips.evaluation.people import Floats, Ints, lengths

THRESHOLD = 0.2
TORSO = ("left_shoulder", "right_hip")

Size = Literal["bbox", "torso"]
Edge = Literal["<=", "<"]


class Pck(NamedTuple):
    """PCK, percent; NaN where nobody has the joint. Means leave NaN out."""

    joints: dict[str, float]
    n: dict[str, int]  # number of people with each joint
    columns: dict[str, float]
    mean_7: float  # mean of the columns
    mean_13: float  # mean of the joints of the columns
    mean_15: float  # mean of all joints with neck and belly; the one to compare with the paper
    size: Size
    threshold: float
    edge: Edge


def pck(
    truth: Floats,
    found: Floats,
    sizes: Floats,
    names: Sequence[str],
    *,
    size: Size = "bbox",
    threshold: float = THRESHOLD,
    edge: Edge = "<=",
    columns: Mapping[str, Sequence[str]] = skeleton.JHMDB.columns,
) -> Pck:
    """Computes the share of annotated joints whose prediction lies within `threshold` sizes.

    Args:
        truth: annotated joints (n, J, 2), image px, NaN where absent.
        found: predicted joints of the same people (n, J, 2), image px; one that is not finite is a
            miss.
        sizes: (n,) from `bbox_sizes` or `torso_sizes`, image px; a person of size 0 is left out.
        names: names of the J joints.
        size: which of the two sizes it is; only recorded.
        threshold: largest distance of a hit, in sizes.
        edge: "<=" as in LSTM_Pose_Machines, or "<" as in mmpose.
        columns: joints of each of the table's columns.

    Raises:
        ValueError: if shapes differ, a column's joint is not among the names, or a size is NaN.
    """
    if not (truth.shape == found.shape == (len(sizes), len(names), 2)):
        raise ValueError(
            f"truth {truth.shape} and found {found.shape} need the shape "
            f"({len(sizes)}, {len(names)}, 2) of sizes and names"
        )
    unknown = {joint for joints in columns.values() for joint in joints} - set(names)
    if unknown:
        raise ValueError(f"no joint {', '.join(sorted(unknown))} among {', '.join(names)}")
    if not ((sizes >= 0) & (sizes < np.inf)).all():
        raise ValueError("a person's size must be a number of at least 0; annotate box or torso")
    there = ~np.isnan(truth).any(axis=-1) & (sizes > 0)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = lengths(found - truth) / sizes[:, None]
        hit = distance <= threshold if edge == "<=" else distance < threshold
    share = _percent((hit & there).sum(axis=0), there.sum(axis=0))
    joints = dict(zip(names, share.tolist(), strict=True))
    by_column = {
        name: _mean([joints[joint] for joint in members]) for name, members in columns.items()
    }
    return Pck(
        joints=joints,
        n=dict(zip(names, there.sum(axis=0).tolist(), strict=True)),
        columns=by_column,
        mean_7=_mean(list(by_column.values())),
        mean_13=_mean([joints[joint] for members in columns.values() for joint in members]),
        mean_15=_mean(list(joints.values())),
        size=size,
        threshold=threshold,
        edge=edge,
    )


def by_both_sizes(
    annotations: records.Annotations, predictions: records.Predictions, names: Sequence[str]
) -> dict[Size, Pck]:
    """Scores a run on true boxes with both sizes; all joints of people not predicted are misses.

    Args:
        annotations: annotations of the split.
        predictions: predictions on its true boxes; people are found by their tracks.
        names: names of the dataset's joints.
    """
    found = {
        (sequence.name, frame.frame, pose.track): records.points_array(pose.joints)
        for sequence in predictions.sequences
        for frame in sequence.frames
        for pose in frame.poses
    }
    people = [
        (person, found.get((sequence.name, position, person.track)))
        for sequence in annotations.sequences
        for position, frame in enumerate(sequence.frames)
        if frame.labelled
        for person in frame.people
    ]
    shape = (len(people), len(names), 2)
    truth = np.array([person.points for person, _ in people], dtype=np.float64).reshape(shape)
    missed = np.full(shape[1:], np.nan)
    ours = np.array([missed if joints is None else joints for _, joints in people]).reshape(shape)
    boxes = np.array([person.box for person, _ in people], dtype=np.float64).reshape(-1, 4)
    sizes: dict[Size, Floats] = {
        "bbox": bbox_sizes(boxes),
        "torso": np.nan_to_num(torso_sizes(truth, ours, names)),
    }
    return {size: pck(truth, ours, values, names, size=size) for size, values in sizes.items()}


def bbox_sizes(boxes: Floats) -> Floats:
    """Gives the longer side of every person's box (n, 4) = x, y, width, height, image px."""
    result: Floats = boxes[:, 2:].max(axis=1)
    return result


def torso_sizes(truth: Floats, found: Floats, names: Sequence[str]) -> Floats:
    """Computes the distances from left shoulder to right hip (n,), image px.

    As in mmpose, the predicted distance is taken if the true one is below 1 px.

    Args:
        truth: annotated joints (n, J, 2), image px.
        found: predicted joints (n, J, 2), image px.
        names: names of the J joints.
    """
    shoulder, hip = (names.index(name) for name in TORSO)
    own, other = (lengths(side[:, shoulder] - side[:, hip]) for side in (truth, found))
    return np.where(own < 1, other, own)


def _percent(hits: Ints, n: Ints) -> Floats:
    return np.divide(100.0 * hits, n, out=np.full(len(n), np.nan), where=n > 0)


def _mean(values: Sequence[float]) -> float:
    """Computes the mean of the values that are not NaN."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
