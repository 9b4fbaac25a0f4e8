"""Predicts without a network: puts the mean training pose into each validation box."""

import numpy as np
from numpy.typing import NDArray

from tips import records, skeleton
from tips.config import MEAN_POSE
from tips.freshness import computing_code, digests, prediction_files, settings_of
from tips.instances import Found, Key, box_keys, gather, labelled_keys
from tips.opened import open_study, read_annotations
from tips.records import (
    Annotations,
    Detections,
    Pose,
    Predictions,
    RecordError,
    points_array,
)


def run(scale: str = "desk", root: str = "") -> None:
    """Writes the predictions of `mean-pose`, which are then scored like those of any row.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
    """
    opened = open_study(scale, root)
    mean = mean_pose(read_annotations(opened.paths, "train"))
    annotations = read_annotations(opened.paths, "val")
    boxes = opened.study.scale.evaluation.boxes
    detections = records.read(Detections, opened.paths.boxes(boxes))
    keys = box_keys(annotations, detections)
    found = [Found(pose=_placed(mean, key), between=()) for key in keys]
    rows = gather(annotations, keys, found)
    out = opened.paths.predictions(MEAN_POSE, "0", boxes)
    records.write(Predictions(variant=MEAN_POSE, seed=0, boxes=boxes, sequences=rows), out)
    files = prediction_files(*opened, MEAN_POSE, 0, boxes)
    records.write_json(
        {
            "code": computing_code("mean_pose"),
            "inputs": digests(files),
            "settings": settings_of(opened.study.scale.evaluation, "mean_pose"),
        },
        opened.paths.predicted(MEAN_POSE, "0", boxes),
    )


def mean_pose(annotations: Annotations) -> NDArray[np.float64]:
    """Averages the joints of all labelled people in coordinates of their boxes.

    Returns:
        The mean pose (15, 2), x then y, as shares of the box's width and height. A joint that is
        never labelled is put at the box's centre.

    Raises:
        RecordError: nobody is labelled.
    """
    rows = []
    for key in labelled_keys(annotations):
        x, y, w, h = key.box
        assert key.joints is not None
        rows.append((points_array(key.joints) - (x, y)) / (w, h))
    if not rows:
        raise RecordError(f"{annotations.dataset}: the train split labels no person")
    stacked = np.stack(rows)
    known = ~np.isnan(stacked)
    count = known.sum(axis=0)
    mean = np.where(known, stacked, 0).sum(axis=0) / np.maximum(count, 1)
    return np.where(count > 0, mean, 0.5)


def _placed(mean: NDArray[np.float64], key: Key) -> Pose:
    x, y, w, h = key.box
    joints = mean * (w, h) + (x, y)
    return Pose(
        track=key.track,
        score=key.score,
        joints=tuple((round(float(a), 3), round(float(b), 3)) for a, b in joints),
        scores=(key.score,) * skeleton.COUNT,
    )
