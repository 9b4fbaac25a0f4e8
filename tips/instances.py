"""People as models see them, and the poses that are found for them.

This module does not import torch, because predictors without a network use it as well.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from tips import records
from tips.records import (
    Annotations,
    Between,
    Box,
    Detections,
    FramePoses,
    Point,
    Pose,
    SequencePredictions,
)


class Key(NamedTuple):
    """One person of frame t, around whom a window is built."""

    split: str
    sequence: str
    frame: int
    length: int  # number of frames of the sequence
    box: Box
    joints: tuple[Point | None, ...] | None  # image px; None without labels
    track: int
    score: float


def labelled_keys(annotations: Annotations) -> list[Key]:
    """Lists every person with at least one labelled joint, in the order of the files."""
    return [
        Key(
            annotations.split,
            sequence.name,
            position,
            len(sequence.frames),
            person.box,
            person.joints,
            person.track,
            1.0,
        )
        for sequence in annotations.sequences
        for position, frame in enumerate(sequence.frames)
        if frame.labelled
        for person in frame.people
        if any(point is not None for point in person.joints)
    ]


def box_keys(annotations: Annotations, detections: Detections) -> list[Key]:
    """Gives one key per box, in the order of the file."""
    lengths = {sequence.name: len(sequence.frames) for sequence in annotations.sequences}
    return [
        Key(
            annotations.split,
            box.sequence,
            box.frame,
            lengths[box.sequence],
            box.box,
            None,
            -1 if box.track is None else box.track,
            box.score,
        )
        for box in detections.boxes
    ]


class Found(records.Record):
    """What a model predicts for one box: a pose, and the synthesized poses of its window."""

    pose: Pose
    between: tuple[Between, ...]


def gather(
    annotations: Annotations, keys: Sequence[Key], found: Sequence[Found]
) -> tuple[SequencePredictions, ...]:
    """Sorts poses into sequences and frames, and numbers the people of each frame.

    Args:
        annotations: the sequences, all of whose labelled frames are listed.
        keys: the boxes.
        found: what was predicted for each box.
    """
    poses: dict[tuple[str, int], list[Pose]] = defaultdict(list)
    between: dict[str, list[Between]] = defaultdict(list)
    for key, row in zip(keys, found, strict=True):
        people = poses[key.sequence, key.frame]
        track = key.track if key.track >= 0 else len(people)
        people.append(row.pose.model_copy(update={"track": track}))
        between[key.sequence].extend(row.between)
    return tuple(
        SequencePredictions(
            name=sequence.name,
            frames=tuple(
                FramePoses(frame=position, poses=tuple(poses[sequence.name, position]))
                for position, frame in enumerate(sequence.frames)
                if frame.labelled
            ),
            between=tuple(between[sequence.name]),
        )
        for sequence in annotations.sequences
    )
