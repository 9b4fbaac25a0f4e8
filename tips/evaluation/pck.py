"""PCK for JHMDB and sub-JHMDB (Table XI): hits within a share of the person's size.

No paper of the table defines its metric. The rows that can be traced are normalised by the
person's box at 0.2; "Avg" of the older ones is the mean of the seven columns, that of recent ones
fits a mean over all 15 joints only.
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
    """Percent; NaN where nobody has the joint. Means are over what is not NaN."""

    joints: dict[str, float]
    n: dict[str, int]  # people with the joint
    columns: dict[str, float]
    mean_7: float  # of the columns
    mean_13: float  # of the joints of the columns
    mean_15: float  # of all joints, neck and belly too; compare this one with the paper
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
    """Share of the annotated joints that lie within `threshold` sizes.

    Args:
        truth: annotated joints (n, J, 2), image px, NaN where absent.
        found: predicted joints of the same people (n, J, 2); one that is not finite is a miss.
        sizes: (n,) from `bbox_sizes` or `torso_sizes`, image px; a person of size 0 is left out.
        names: of the J joints.
        size: which of the two; recorded only.
        threshold: largest distance of a hit, in sizes.
        edge: "<=" as LSTM_Pose_Machines has it, "<" as mmpose.
        columns: joints of the table's columns.

    Raises:
        ValueError: shapes differ, a column's joint has no name here, or a size is not a number.
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
    """Scores a run on true boxes by either size; a person it does not predict is missed.

    Args:
        annotations: the split.
        predictions: on its true boxes, people by their track.
        names: of the dataset's joints.
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
    """The longer side of every person's box (n, 4) = x, y, width, height, px."""
    result: Floats = boxes[:, 2:].max(axis=1)
    return result


def torso_sizes(truth: Floats, found: Floats, names: Sequence[str]) -> Floats:
    """Left shoulder to right hip (n,), px; the predicted one where the true is below 1 px (mmpose).

    Args:
        truth: annotated joints (n, J, 2), image px.
        found: predicted joints (n, J, 2).
        names: of the J joints.
    """
    shoulder, hip = (names.index(name) for name in TORSO)
    own, other = (lengths(side[:, shoulder] - side[:, hip]) for side in (truth, found))
    return np.where(own < 1, other, own)


def _percent(hits: Ints, n: Ints) -> Floats:
    return np.divide(100.0 * hits, n, out=np.full(len(n), np.nan), where=n > 0)


def _mean(values: Sequence[float]) -> float:
    """Mean of what is not NaN."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")
