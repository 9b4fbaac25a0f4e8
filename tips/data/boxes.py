"""Validation boxes: the annotated ones, or those of a simulated detector."""

import hashlib
from collections.abc import Sequence as Rows

import numpy as np

from tips.config import Detector
from tips.records import Annotations, Box, Detection, Detections, Frame, Point, Sequence


# Paper: boxes of a person detector at validation; here: annotated boxes in the ablation tables, a
# simulated detector in rows of its own, because no detector is trained on the rendered people.
def true_boxes(annotations: Annotations) -> Detections:
    """Takes the box of every person with a joint in every labelled frame, with score 1.

    People without joints are left out, because any pose predicted there could only be wrong.
    """
    boxes = tuple(
        Detection(sequence=s.name, frame=i, box=person.box, score=1.0, track=person.track)
        for s, i, frame in _labelled(annotations)
        for person in frame.people
        if any(point is not None for point in person.joints)
    )
    return Detections(source="gt", boxes=boxes)


def detected_boxes(annotations: Annotations, detector: Detector) -> Detections:
    """Simulates a person detector: jittered, missed and false boxes.

    True boxes tend to have higher scores than false ones. Each frame has a seed of its own, so that
    its boxes do not depend on other frames.
    """
    boxes: list[Detection] = []
    for sequence, position, frame in _labelled(annotations):
        key = f"{detector.seed}/{sequence.name}/{position}"
        rng = np.random.default_rng(int(hashlib.sha256(key.encode()).hexdigest()[:16], 16))
        for person in frame.people:
            missed = rng.random() < detector.miss
            box = _jittered(person.box, detector.jitter, rng)
            score = float(rng.beta(9, 1.5))
            if not missed:
                boxes.append(
                    Detection(sequence=sequence.name, frame=position, box=box, score=score)
                )
        for _ in range(rng.poisson(detector.false_per_frame)):
            box = _false_box(sequence, rng)
            score = float(rng.beta(2, 4))
            boxes.append(Detection(sequence=sequence.name, frame=position, box=box, score=score))
    return Detections(source="detected", boxes=tuple(boxes))


def around(joints: Rows[Point | None], head: Box | None) -> Box | None:
    """Computes the box of the labelled joints, image px.

    Fewer than two joints span no box; then it is the box of joint and head together. None if there
    is no head box either.
    """
    known = [point for point in joints if point is not None]
    if head is None:
        return extent(known)
    x, y, width, height = head
    return extent(known) or extent([*known, (x, y), (x + width, y + height)])


def extent(points: Rows[Point]) -> Box | None:
    """Computes the box of joints, enlarged 1.2 times about its centre as the HRNet family does.

    None for fewer than two joints.
    """
    if len(points) < 2:
        return None
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    width, height = max(xs) - min(xs) + 1, max(ys) - min(ys) + 1
    return (min(xs) - 0.1 * width, min(ys) - 0.1 * height, 1.2 * width, 1.2 * height)


def _labelled(annotations: Annotations) -> list[tuple[Sequence, int, Frame]]:
    return [
        (sequence, position, frame)
        for sequence in annotations.sequences
        for position, frame in enumerate(sequence.frames)
        if frame.labelled
    ]


def _jittered(box: Box, spread: float, rng: np.random.Generator) -> Box:
    x, y, w, h = box
    dx, dy, dw, dh = rng.normal(0, spread, 4)
    width, height = w * np.exp(dw), h * np.exp(dh)
    centre_x, centre_y = x + w / 2 + dx * w, y + h / 2 + dy * h
    return (
        float(centre_x - width / 2),
        float(centre_y - height / 2),
        float(width),
        float(height),
    )


def _false_box(sequence: Sequence, rng: np.random.Generator) -> Box:
    height = sequence.height * rng.uniform(0.3, 0.7)
    width = height * rng.uniform(0.3, 0.7)
    x = rng.uniform(0, max(1.0, sequence.width - width))
    y = rng.uniform(0, max(1.0, sequence.height - height))
    return (float(x), float(y), float(width), float(height))
