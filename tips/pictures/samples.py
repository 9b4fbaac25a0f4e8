"""Draws sample windows of a split, with the annotated skeleton."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt

from tips.config import FULL, ConfigError
from tips.data.study_windows import open_windows
from tips.data.windows import positions
from tips.instances import Key, labelled_keys
from tips.opened import Opened, read_annotations
from tips.pictures.canvas import bones, save, show
from tips.pictures.faults import Damaged, varied


def draw_windows(opened: Opened, folder: Path, split: str, count: int, seed: int) -> dict[str, str]:
    """Draws sample windows, with the annotated skeleton on frame t.

    Args:
        opened: the study.
        folder: the folder of the pictures.
        split: the split that the windows are taken from.
        count: the number of windows.
        seed: chooses the windows.

    Returns:
        The caption of every picture, by file name.
    """
    annotations = read_annotations(opened.paths, split)
    variant = opened.study.variants.get(FULL)
    if variant is None:
        raise ConfigError(f"pictures need the variant '{FULL}' among the scale's rows")
    windows = open_windows(opened, variant, [annotations])
    experiment, body = variant.experiment, opened.study.scale.dataset.body
    stride = experiment.backbone.stride
    damaged = Damaged(opened.paths.root / "truth" / split)
    keys = labelled_keys(annotations)
    if not keys:
        raise ConfigError(
            f"split {split} has no labelled frame, so there are no windows; see its annotations"
        )
    kinds = [_kinds(damaged, key, experiment.window) for key in keys]
    chosen = varied(keys, kinds, count, seed)
    captions = {}
    for number, key in enumerate(chosen):
        sample = windows(key)
        frames = len(sample.images)
        figure, axes = plt.subplots(2, frames, figsize=(1.8 * frames, 3.9), layout="constrained")
        at = positions(key.frame, key.length, experiment.window)
        for w, image in enumerate(sample.images):
            wrong = ", ".join(damaged.of(key, at[w]))
            show(axes[0, w], image, f"t{experiment.window[w]:+d} {wrong}".strip())
            axes[1, w].axis("off")
        bones(axes[0, experiment.t], sample.labels.joints * stride, sample.labels.weights, body)
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


def _kinds(damaged: Damaged, key: Key, window: Sequence[int]) -> frozenset[str]:
    """Gathers the kinds of damage in one window."""
    frames = positions(key.frame, key.length, window)
    return frozenset(word for frame in frames for word in damaged.of(key, frame))


def spread(items: Sequence, count: int, seed: int) -> list:  # type: ignore[type-arg]
    """Chooses some items at random, without repetition, and keeps their order.

    Args:
        items: the items to choose from.
        count: the number of items to choose; all are taken if there are fewer.
        seed: the seed of the choice.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(items))[:count]
    return [items[i] for i in sorted(order)]
