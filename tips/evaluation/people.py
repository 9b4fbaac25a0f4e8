"""Truth and predictions side by side as arrays, from which all scores of this folder are computed.

Coordinates are image px. NaN means absent. A predicted joint that is listed, but with a coordinate
that is no number, lies at `NOWHERE`: it still counts as a predicted joint, and is never a hit.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tips import records, skeleton
from tips.records import RecordError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

HEAD_FACTOR = 0.6  # head size / diagonal of the head rectangle, as in poseval
NOWHERE = -np.inf

# The rules of poseval, or those of PoseTrack21's kit. The kit counts frames by `is_labeled`, takes
# joints for absent unless both coordinates are positive, and gives AP 0 to a joint with predictions
# but without truth.
Rule = Literal["poseval", "kit21"]
# The unit of distances: PoseTrack's head size, or the longer side of the person's box.
Unit = Literal["head", "box"]


class TruthFrame(NamedTuple):
    """Annotated people of one counted frame, in file order."""

    joints: Floats  # (P, 15, 2)
    heads: Floats  # (P,) head size, or another unit of distance, image px; NaN if unknown
    ignore: tuple[Floats, ...] = ()  # polygons (n, 2)
    boxes: Floats = np.empty((0, 4))  # (P, 4) x, y, width, height, NaN where unknown
    tracks: tuple[int, ...] = ()  # person ids, -1 where unknown


class FoundFrame(NamedTuple):
    """Predicted people of one counted frame, in file order."""

    joints: Floats  # (Q, 15, 2)
    scores: Floats  # (Q, 15)
    people: Floats = np.empty(0)  # (Q,) one score per person, which only OKS uses
    tracks: tuple[int, ...] = ()


class Clip(NamedTuple):
    """Truth and predictions of one sequence, frame by frame; only counted frames are there."""

    name: str
    stratum: str
    positions: tuple[int, ...]  # positions of the counted frames in the sequence
    truth: tuple[TruthFrame, ...]
    found: tuple[FoundFrame, ...]


def lengths(vectors: Floats) -> Floats:
    """Computes the lengths of vectors (..., 2), to the last bit as `np.linalg.norm` of each.

    `np.linalg.norm` of a single vector uses a dot product, which rounds differently from squares
    that are added. The results must be the same, because a distance may lie exactly at the
    threshold, and poseval calls `np.linalg.norm`.
    """
    with np.errstate(over="ignore"):  # what is too far away for a square is infinitely far away
        squares = np.asarray(np.vecdot(vectors, vectors), dtype=np.float64)
    return np.sqrt(squares, out=squares)


def head_sizes(corners: Floats, factor: float = HEAD_FACTOR) -> Floats:
    """Computes head sizes, the unit of PoseTrack's PCKh, of rectangles (..., 4) = x1, y1, x2, y2.

    Both are in image px.
    """
    return factor * lengths(corners[..., 2:] - corners[..., :2])


def box_head_size(head: records.Box) -> float:
    """Computes the head size of a head rectangle (x, y, width, height), image px."""
    x, y, width, height = head
    return float(head_sizes(np.array([x, y, x + width, y + height], dtype=np.float64)))


def no_people() -> FoundFrame:
    """Makes a frame without predictions."""
    n = skeleton.COUNT
    return FoundFrame(np.empty((0, n, 2)), np.empty((0, n)), np.empty(0), ())


def from_records(
    annotations: records.Annotations,
    predictions: records.Predictions,
    rule: Rule = "poseval",
    unit: Unit = "head",
) -> tuple[Clip, ...]:
    """Pairs a run's predictions with the truth, sequences by name and frames by position.

    Counted are the labelled frames; by poseval's rules only those with at least one annotated
    person. A sequence or frame that the predictions do not mention has no predicted people. Clips
    are sorted by the name of their file; this order decides between equal scores.

    Args:
        annotations: annotations of the split.
        predictions: predictions of the run on it.
        rule: which frames count.
        unit: unit of distances.

    Raises:
        RecordError: if predictions name a sequence or frame that does not exist or name it twice,
            a pose does not have 15 joints and scores, or a person with joints has no head
            rectangle.
    """
    who = f"predictions of {predictions.variant}, seed {predictions.seed}"
    known = {sequence.name for sequence in annotations.sequences}
    if len(known) != len(annotations.sequences):
        raise RecordError(f"{annotations.dataset} {annotations.split}: sequence names repeat")
    found: dict[str, records.SequencePredictions] = {}
    for item in predictions.sequences:
        if item.name not in known:
            raise RecordError(
                f"{who}: sequence {item.name} is not in {annotations.dataset} "
                f"{annotations.split}; predict and evaluate the same split"
            )
        if item.name in found:
            raise RecordError(f"{who}: sequence {item.name} is listed twice; write it once")
        found[item.name] = item
    return tuple(
        _clip(sequence, found.get(sequence.name), who, rule, unit)
        for sequence in sorted(annotations.sequences, key=lambda item: file_name(item.name))
    )


def truth_alone(annotations: records.Annotations) -> tuple[Clip, ...]:
    """Gives the annotated people alone, in the order that a run's evidence counts them in.

    What belongs to a part of the truth, such as small people, is decided on these and then cut out
    of the evidence by `average_precision.subset`.
    """
    nobody = records.Predictions(variant="", seed=0, boxes="gt", sequences=())
    return from_records(annotations, nobody)


def file_name(sequence: str) -> str:
    """Names the json file of a sequence; folders in its name become part of the file's name."""
    return sequence.replace("/", "__") + ".json"


def counted(frame: records.Frame) -> bool:
    """Tells whether poseval counts this frame; it drops labelled frames without people."""
    return frame.labelled and len(frame.people) > 0


def _clip(
    sequence: records.Sequence,
    found: records.SequencePredictions | None,
    who: str,
    rule: Rule,
    unit: Unit,
) -> Clip:
    positions = tuple(
        i
        for i, frame in enumerate(sequence.frames)
        if counted(frame) or (rule == "kit21" and frame.labelled)
    )
    by_frame: dict[int, records.FramePoses] = {}
    for item in found.frames if found else ():
        if not 0 <= item.frame < len(sequence.frames):
            raise RecordError(
                f"{who}: {sequence.name} has frames 0 to {len(sequence.frames) - 1}; "
                f"got frame {item.frame}"
            )
        if item.frame in by_frame:
            raise RecordError(f"{who}: {sequence.name}: frame {item.frame} is listed twice")
        by_frame[item.frame] = item
    return Clip(
        name=sequence.name,
        stratum=sequence.motion,
        positions=positions,
        truth=tuple(
            _truth(sequence.frames[i], f"{sequence.name}, frame {i}", unit) for i in positions
        ),
        found=tuple(
            _found(by_frame[i], f"{who}: {sequence.name}") if i in by_frame else no_people()
            for i in positions
        ),
    )


def _truth(frame: records.Frame, where: str, unit: Unit) -> TruthFrame:
    joints = stack_joints(person.points for person in frame.people)
    sizes = np.array([_size(person, unit) for person in frame.people])
    check_heads(joints, sizes, where)
    ignore = tuple(polygon(ring, where) for ring in frame.ignore)
    boxes = np.array([person.box for person in frame.people], dtype=np.float64).reshape(-1, 4)
    return TruthFrame(joints, sizes, ignore, boxes, tuple(p.track for p in frame.people))


def _size(person: records.Person, unit: Unit) -> float:
    if unit == "box":
        return max(person.box[2:])
    return np.nan if person.head is None else box_head_size(person.head)


def _found(frame: records.FramePoses, who: str) -> FoundFrame:
    for index, pose in enumerate(frame.poses):
        if len(pose.joints) != skeleton.COUNT or len(pose.scores) != skeleton.COUNT:
            raise RecordError(
                f"{who}: frame {frame.frame}: pose {index} needs {skeleton.COUNT} joints and "
                f"scores; got {len(pose.joints)} and {len(pose.scores)}"
            )
    joints = stack_joints(records.points_array(pose.joints) for pose in frame.poses)
    given = [[point is not None for point in pose.joints] for pose in frame.poses]
    listed = np.array(given, dtype=np.bool_).reshape(-1, skeleton.COUNT)
    joints[np.isnan(joints).any(axis=-1) & listed] = NOWHERE
    scores = np.array([pose.scores for pose in frame.poses], dtype=np.float64)
    return FoundFrame(
        joints,
        scores.reshape(-1, skeleton.COUNT),
        np.array([pose.score for pose in frame.poses], dtype=np.float64),
        tuple(pose.track for pose in frame.poses),
    )


def stack_joints(people: Iterable[Floats]) -> Floats:
    """Stacks the joints of several people, maybe none, to one array (P, 15, 2)."""
    return np.array(list(people), dtype=np.float64).reshape(-1, skeleton.COUNT, 2)


def check_heads(joints: Floats, heads: Floats, where: str) -> None:
    """Refuses a person who has joints but no head rectangle, because distances have no unit.

    Args:
        joints: joints of the people of a frame (P, 15, 2).
        heads: their head sizes (P,); NaN if there is no rectangle.
        where: place of the frame, for the message.

    Raises:
        RecordError: if there is such a person.
    """
    bad = np.isnan(heads) & ~np.isnan(joints).all(axis=(1, 2))
    if bad.any():
        raise RecordError(
            f"{where}: person {int(np.argmax(bad))} has joints but no head rectangle, the unit of "
            "every distance; annotate the head or leave the frame unlabelled"
        )


def polygon(ring: Sequence[records.Point] | Floats, where: str) -> Floats:
    """Makes an array (n, 2) of an ignore region. Raises RecordError if it has 1 or 2 points."""
    points = np.asarray(ring, dtype=np.float64).reshape(-1, 2)
    if len(points) in (1, 2) or not np.isfinite(points).all():
        raise RecordError(
            f"{where}: an ignore region needs at least 3 finite points; got {len(points)}"
        )
    return points
