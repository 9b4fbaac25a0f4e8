"""Draws predictions over frames, beside the annotation (Fig. 5)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from tips import records
from tips.config import BACKBONE, FULL
from tips.instances import labelled_keys
from tips.opened import Opened, read_annotations
from tips.ops.image import Image, read_image
from tips.pictures.canvas import View, bones, save, show
from tips.pictures.samples import spread
from tips.records import points_array


def draw_overlays(opened: Opened, folder: Path, count: int) -> dict[str, str]:
    """Draws predictions of the full model and of the backbone beside the annotation.

    Args:
        opened: the study, whose runs of seed 0 have predicted.
        folder: the folder of the pictures.
        count: the number of frames that are drawn.

    Returns:
        The caption of every picture, by file name.
    """
    annotations = read_annotations(opened.paths, "val")
    names: list[str] = [name for name in (BACKBONE, FULL) if name in opened.study.variants]
    boxes = opened.study.scale.evaluation.boxes
    found = {
        name: records.read(records.Predictions, opened.paths.predictions(name, "0", boxes))
        for name in names
    }
    frames = [
        (sequence, position)
        for sequence in annotations.sequences
        for position, frame in enumerate(sequence.frames)
        if frame.labelled and frame.people
    ]
    known = labelled_joints(annotations)
    captions = {}
    for number, (sequence, position) in enumerate(spread(frames, count, 1)):
        file = f"overlay-{number}.png"
        draw_frame(opened, annotations, found, (sequence.name, position), known, folder / file)
        captions[file] = f"{sequence.name}, frame {position}: annotation and predictions, seed 0."
    return captions


def draw_frame(
    opened: Opened,
    annotations: records.Annotations,
    found: Mapping[str, records.Predictions],
    place: tuple[str, int],
    known: NDArray[np.bool_],
    path: Path,
) -> None:
    """Draws one frame: the annotation, and beside it what each network predicts.

    Args:
        opened: the study.
        annotations: the validation split.
        found: predictions by the network's name.
        place: the sequence, and the position of the frame in it.
        known: the joints (15,) that are drawn.
        path: the picture.
    """
    name, position = place
    sequence = next(one for one in annotations.sequences if one.name == name)
    frame, body = sequence.frames[position], opened.study.scale.dataset.body
    image = read_image(opened.paths.root / frame.file)
    view = _around(frame, image)
    size = (4 * (1 + len(found)), 0.3 + 4 * (view[3] - view[1]) / (view[2] - view[0]))
    figure, axes = plt.subplots(1, 1 + len(found), figsize=size, layout="constrained")
    show(axes[0], image, "annotation", view)
    for person in frame.people:
        points = person.points
        bones(axes[0], points, np.isfinite(points[:, 0]), body)
    for axis, (network, predictions) in zip(axes[1:], found.items(), strict=True):
        show(axis, image, network, view)
        for pose in _poses(predictions, name, position):
            bones(axis, points_array(pose.joints), known, body)
    save(figure, path)


def labelled_joints(annotations: records.Annotations) -> NDArray[np.bool_]:
    """Tells which joints (15,) the split labels anywhere; no network has learned the others."""
    points = [
        points_array(key.joints) for key in labelled_keys(annotations) if key.joints is not None
    ]
    return np.asarray(np.isfinite(np.stack(points)[..., 0]).any(axis=0))


def _around(frame: records.Frame, image: Image) -> View:
    """Gives the part of a frame that holds its people, with a margin."""
    boxes = np.array([person.box for person in frame.people])
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    margin = 0.15 * (high - low).max()
    height, width = image.shape[:2]
    left, top = np.maximum(low - margin, 0)
    right, bottom = np.minimum(high + margin, (width, height))
    return float(left), float(top), float(right), float(bottom)


def _poses(found: records.Predictions, sequence: str, frame: int) -> Sequence[records.Pose]:
    return [
        pose
        for row in found.sequences
        if row.name == sequence
        for poses in row.frames
        if poses.frame == frame
        for pose in poses.poses
    ]
