"""Validation boxes: the annotated ones, or what a simulated detector makes of them."""

import hashlib

import numpy as np

from tips.config import Detector
from tips.records import Annotations, Box, Detection, Detections, Frame, Sequence


# Paper: boxes of a person detector at validation; here: annotated boxes in the ablation tables, a
# simulated detector in rows of its own, because no detector is trained on the rendered people.
def true_boxes(annotations: Annotations) -> Detections:
    """Takes every annotated person of every labelled frame, score 1."""
    boxes = tuple(
        Detection(sequence=s.name, frame=i, box=person.box, score=1.0, track=person.track)
        for s, i, frame in _labelled(annotations)
        for person in frame.people
    )
    return Detections(source="gt", boxes=boxes)


def detected_boxes(annotations: Annotations, detector: Detector) -> Detections:
    """Simulates a person detector: jitter, misses, false boxes, and scores that know a little.

    Each frame draws from a seed of its own, so that boxes do not depend on other frames.
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
