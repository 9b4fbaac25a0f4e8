"""Pictures for a person to look at: windows, predictions, synthesized poses (Fig. 1, 5, 6)."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from tips import records
from tips.config import BACKBONE, FULL, ConfigError
from tips.data.windows import Key, Sample, WindowSet, collate, keys, to_device
from tips.models.interfaces import PoseModel
from tips.models.tips.coordinates import CoordinateHeads
from tips.ops.image import Image, read_image
from tips.records import points_array
from tips.stages._contrast import draw_contrast
from tips.stages._drawing import View, bones, save, show
from tips.stages._study import Opened, open_study, open_windows, read_annotations
from tips.stages.train import trained_model


def run(scale: str = "desk", root: str = "") -> None:
    """Draws windows-, overlay-, synthesis-*.png, contrast.jpg and, last, pictures.json (captions).

    Args:
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
    """
    torch.set_num_threads(1)
    opened = open_study(scale, root)
    folder = opened.paths.reports / "figures"
    count = opened.study.scale.pictures
    captions = draw_windows(opened, folder, "val", count, seed=0)
    captions |= draw_overlays(opened, folder, count)
    captions |= draw_synthesis(opened, folder, count)
    captions |= draw_contrast(opened, folder)
    records.write_json(captions, folder / "pictures.json")


def draw_windows(opened: Opened, folder: Path, split: str, count: int, seed: int) -> dict[str, str]:
    """Draws sample windows with the annotated skeleton on frame t; returns captions by file."""
    annotations = read_annotations(opened.paths, split)
    variant = opened.study.variants.get(FULL)
    if variant is None:
        raise ConfigError(f"pictures need the variant '{FULL}' among the scale's rows")
    windows = open_windows(opened, variant, [annotations])
    experiment, body = variant.experiment, opened.study.scale.dataset.body
    stride = experiment.backbone.stride
    chosen = _spread(keys(annotations), count, seed)
    captions = {}
    for number, key in enumerate(chosen):
        sample = windows(key)
        frames = len(sample.images)
        figure, axes = plt.subplots(2, frames, figsize=(1.8 * frames, 3.9), layout="constrained")
        for w, image in enumerate(sample.images):
            show(axes[0, w], image, f"t{experiment.window[w]:+d}")
            axes[1, w].axis("off")
        bones(axes[0, experiment.t], sample.joints * stride, sample.weights, body)
        for w, image in enumerate(sample.rough):
            show(axes[1, w], image, f"between t{experiment.window[w]:+d} and next")
        name = f"windows-{number}.png"
        save(figure, folder / name)
        captions[name] = (
            f"{split} window: {key.sequence}, frame {key.frame}, person {key.track}. Top: the "
            "frames, annotated joints on t. Bottom: interim frames "
            f"({experiment.interim_frames})."
        )
    return captions


def draw_overlays(opened: Opened, folder: Path, count: int) -> dict[str, str]:
    """Draws predictions of the full model and of the backbone beside the annotation."""
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
    known, body = _labelled_joints(annotations), opened.study.scale.dataset.body
    captions = {}
    for number, (sequence, position) in enumerate(_spread(frames, count, 1)):
        frame = sequence.frames[position]
        image = read_image(opened.paths.root / frame.file)
        view = _around(frame, image)
        size = (4 * (1 + len(names)), 0.3 + 4 * (view[3] - view[1]) / (view[2] - view[0]))
        figure, axes = plt.subplots(1, 1 + len(names), figsize=size, layout="constrained")
        show(axes[0], image, "annotation", view)
        for person in frame.people:
            points = person.points
            bones(axes[0], points, np.isfinite(points[:, 0]), body)
        for axis, name in zip(axes[1:], names, strict=True):
            show(axis, image, name, view)
            for pose in _poses(found[name], sequence.name, position):
                bones(axis, points_array(pose.joints), known, body)
        name = f"overlay-{number}.png"
        save(figure, folder / name)
        captions[name] = f"{sequence.name}, frame {position}: annotation and predictions, seed 0."
    return captions


def _labelled_joints(annotations: records.Annotations) -> NDArray[np.bool_]:
    """Joints that the split labels anywhere; a network says nothing about the others."""
    points = [points_array(key.joints) for key in keys(annotations) if key.joints is not None]
    return np.asarray(np.isfinite(np.stack(points)[..., 0]).any(axis=0))


def _around(frame: records.Frame, image: Image) -> View:
    """The part of a frame that holds its people, with a margin: left, top, right, bottom."""
    boxes = np.array([person.box for person in frame.people])
    low, high = boxes[:, :2].min(axis=0), (boxes[:, :2] + boxes[:, 2:]).max(axis=0)
    margin = 0.15 * (high - low).max()
    height, width = image.shape[:2]
    left, top = np.maximum(low - margin, 0)
    right, bottom = np.minimum(high + margin, (width, height))
    return float(left), float(top), float(right), float(bottom)


class Interval(NamedTuple):
    """One person's interval between two frames, as the model sees it."""

    key: Key
    sample: Sample
    w: int
    joint: int
    maps: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    points: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]  # map px
    speed: float


def draw_synthesis(opened: Opened, folder: Path, count: int) -> dict[str, str]:
    """Draws Fig. 1's triples: neighbours and the synthesized pose between them, one joint."""
    annotations = read_annotations(opened.paths, "val")
    variant = opened.study.variant(FULL)
    windows = open_windows(opened, variant, [annotations])
    model = trained_model(opened, variant, 0, torch.device("cpu"))
    body, stride = opened.study.scale.dataset.body, variant.experiment.backbone.stride
    pool = _spread(keys(annotations), 24 * count, 2)
    intervals = [_fastest(model, windows, key) for key in pool]
    intervals.sort(key=lambda interval: -interval.speed)
    captions = {}
    for number, row in enumerate(intervals[:count]):
        figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.9), layout="constrained")
        images = (row.sample.images[row.w], row.sample.rough[row.w], row.sample.images[row.w + 1])
        titles = ("frame w", "synthesized pose", "frame w + 1")
        for axis, image, maps, title in zip(axes, images, row.maps, titles, strict=True):
            show(axis, image, title)
            # A map px lies at stride times its index, the centre of a crop px.
            height, width = (size - stride / 2 for size in image.shape[:2])
            place = (-stride / 2, width, height, -stride / 2)
            axis.imshow(maps, cmap="jet", alpha=0.45, extent=place)
        left, middle, right = (point * stride for point in row.points)
        axes[0].plot(*left, "o", color="lime", ms=7, mec="k")
        axes[2].plot(*right, "o", color="cyan", ms=7, mec="k")
        axes[1].plot(*left, "o", color="lime", ms=7, mec="k")
        axes[1].plot(*right, "o", color="cyan", ms=7, mec="k")
        axes[1].annotate("", right, left, arrowprops={"arrowstyle": "->", "color": "blue"})
        axes[1].plot(*middle, "*", color="blue", ms=12, mec="w")
        name = f"synthesis-{number}.png"
        save(figure, folder / name)
        captions[name] = (
            f"{body.joints[row.joint].replace('_', ' ')} of {row.key.sequence}, person "
            f"{row.key.track}: heat maps read from both frames and from the synthesized features; "
            "green and cyan: the joint in the neighbours; star: the synthesized joint; arrow: the "
            "linear trajectory. Fastest predicted motions among a seeded sample."
        )
    return captions


@torch.inference_mode()
def _fastest(model: PoseModel, windows: WindowSet, key: Key) -> Interval:
    """Finds the interval and joint of a window that moves most in the model's eyes."""
    sample = windows(key)
    batch = to_device(collate([sample]), torch.device("cpu"))
    output = model(*batch.window)
    heads = model.get_submodule("coordinate_heads")
    assert isinstance(heads, CoordinateHeads)
    coordinates = heads(output)
    R, R_interim = coordinates.R[0].numpy(), coordinates.R_interim[0, 0].numpy()
    moved = np.linalg.norm(np.diff(R, axis=0), axis=-1) * (sample.weights > 0)
    moved[sample.padded] = 0
    # A jump of more than a quarter of the map is a failure of the backbone, not a motion.
    moved[moved > output.maps.shape[-1] / 4] = 0
    w, joint = (int(i) for i in np.unravel_index(np.argmax(moved), moved.shape))
    real = heads.real(heads.real_blocks(output.F[0, w : w + 2]))[:, joint]
    between = heads.synthesized(output.own.F_interim[0, w : w + 1])[:, joint]
    maps = [_probability(logits) for logits in (real[0], between[0], real[1])]
    return Interval(
        key=key,
        sample=sample,
        w=w,
        joint=joint,
        maps=(maps[0], maps[1], maps[2]),
        points=(R[w, joint], R_interim[w, joint], R[w + 1, joint]),
        speed=float(moved[w, joint]),
    )


def _probability(logits: torch.Tensor) -> NDArray[np.float32]:
    mass = torch.softmax(logits.flatten(), 0).view(logits.shape)
    return np.asarray((mass / mass.max()).numpy(), dtype=np.float32)


def _poses(found: records.Predictions, sequence: str, frame: int) -> Sequence[records.Pose]:
    return [
        pose
        for row in found.sequences
        if row.name == sequence
        for poses in row.frames
        if poses.frame == frame
        for pose in poses.poses
    ]


def _spread(items: Sequence, count: int, seed: int) -> list:  # type: ignore[type-arg]
    """A seeded choice without repetition."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(items))[:count]
    return [items[i] for i in sorted(order)]
