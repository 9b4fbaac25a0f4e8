"""Draws synthesized poses between the poses of both frames, as heat maps (Fig. 1)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import pyplot as plt
from numpy.typing import NDArray

from tips.config import FULL
from tips.data.study_windows import open_windows
from tips.data.windows import Sample, WindowSet, collate, to_device
from tips.inference.loading import trained_model
from tips.instances import Key, labelled_keys
from tips.models.interfaces import PoseModel
from tips.models.tips.coordinates import CoordinateHeads
from tips.opened import Opened, read_annotations
from tips.pictures.canvas import save, show
from tips.pictures.samples import spread


class Interval(NamedTuple):
    """One person's interval between frames w and w + 1, with one joint as the model sees it."""

    key: Key
    sample: Sample
    w: int
    joint: int
    maps: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
    points: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]  # map px
    speed: float


def draw_synthesis(opened: Opened, folder: Path, count: int) -> dict[str, str]:
    """Draws Fig. 1's triples: one joint in two frames, and its synthesized pose between them.

    Args:
        opened: the study, whose full model was trained with seed 0.
        folder: the folder of the pictures.
        count: the number of triples.

    Returns:
        The caption of every picture, by file name.
    """
    annotations = read_annotations(opened.paths, "val")
    variant = opened.study.variant(FULL)
    windows = open_windows(opened, variant, [annotations])
    model = trained_model(opened, variant, 0, torch.device("cpu"))
    body, stride = opened.study.scale.dataset.body, variant.experiment.backbone.stride
    pool = spread(labelled_keys(annotations), 24 * count, 2)
    intervals = [_fastest(model, windows, key) for key in pool]
    intervals.sort(key=lambda interval: -interval.speed)
    captions = {}
    for number, row in enumerate(intervals[:count]):
        figure, axes = plt.subplots(1, 3, figsize=(7.5, 2.9), layout="constrained")
        images = (row.sample.images[row.w], row.sample.rough[row.w], row.sample.images[row.w + 1])
        titles = ("frame w", "synthesized pose", "frame w + 1")
        for axis, image, maps, title in zip(axes, images, row.maps, titles, strict=True):
            show(axis, image, title)
            # The map px of index i lies at the centre of the crop px of index stride * i.
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
    """Finds the interval and joint of a window with the largest motion, by the model's poses."""
    sample = windows(key)
    batch = to_device(collate([sample]), torch.device("cpu"))
    output = model(*batch.window)
    heads = model.get_submodule("coordinate_heads")
    assert isinstance(heads, CoordinateHeads)
    coordinates = model.coordinates(output)
    assert coordinates is not None
    R, R_interim = coordinates.R[0].numpy(), coordinates.R_interim[0, 0].numpy()
    moved = np.linalg.norm(np.diff(R, axis=0), axis=-1) * (sample.labels.weights > 0)
    moved[sample.labels.padded] = 0
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
