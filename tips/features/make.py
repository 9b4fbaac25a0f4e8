"""Computes features, unless those of the same code, settings and files are kept already."""

from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from tips import records
from tips.build import build_model
from tips.checkpoints import load_weights, read_checkpoint
from tips.config import Variant
from tips.data.augment import NONE, Draw, draw_sample
from tips.data.order import batches
from tips.data.study_windows import open_windows
from tips.data.training_keys import training_keys
from tips.data.windows import WindowSet, normalise
from tips.device import use_bfloat16
from tips.features.store import Features, FeatureWriter
from tips.freshness import digests, feature_code, feature_files
from tips.instances import Key, box_keys
from tips.kept import FRAMES, Cache
from tips.locks import waiting
from tips.models.interfaces import Backbone
from tips.opened import Opened, read_annotations
from tips.progress import track
from tips.records import Annotations, Detections

CHUNK: Final = 16  # windows that the backbone sees at once

Places = list[tuple[Key, Draw]]
Lister = Callable[[Opened, Variant, Cache], tuple[Places, list[Annotations]]]


def kept_features(opened: Opened, cache: Cache, device: torch.device, places: Lister) -> Path:
    """Makes sure that features are there and current.

    Args:
        opened: the study.
        cache: which features.
        device: where the backbone runs if they must be computed.
        places: lists the windows in the order in which they are kept: `training_places` or
            `validation_places`. A caller names its own, so that no prediction depends on the code
            of the other.

    Returns:
        The folder of the arrays, for `Features`.

    Raises:
        RecordError: if a file that they are computed from is missing, or the disk is full.
    """
    record = opened.paths.features(*cache.name)
    folder = record.with_suffix("")
    told = _told(opened, cache, device)
    with waiting(folder.with_suffix(".lock"), f"makes {folder}"):
        if not _current(record, folder, told, cache):
            record.unlink(missing_ok=True)
            windows = _compute(opened, cache, folder, device, places)
            records.write_json(told | {"windows": windows}, record)
    return folder


def sample_rows(order: Iterator[list[tuple[int, int]]]) -> dict[tuple[int, int], int]:
    """Numbers the windows of a training, (epoch, sample), in the order in which they are kept."""
    return {place: row for row, place in enumerate(chain.from_iterable(order))}


def _told(opened: Opened, cache: Cache, device: torch.device) -> dict[str, Any]:
    """Gathers all that decides the features."""
    study, paths = opened
    experiment = study.variant(cache.variant).experiment
    single = study.variant(study.stage_one(cache.variant)).experiment
    return {
        "offsets": list(cache.offsets),
        "code": feature_code(single, device.type),
        "inputs": digests(feature_files(study, paths, cache)),
        "bfloat16": use_bfloat16(experiment.training.precision, device),
        "device": device.type,
    }


def _current(record: Path, folder: Path, told: dict[str, Any], cache: Cache) -> bool:
    """Tells whether the features on disk are those that are wanted."""
    if not record.is_file():
        return False
    try:
        noted = records.read_json(record)
        count = len(Features(folder, cache.offsets))
    except records.RecordError:
        return False
    return isinstance(noted, dict) and noted == told | {"windows": count}


def _compute(
    opened: Opened, cache: Cache, folder: Path, device: torch.device, lister: Lister
) -> int:
    """Computes and writes the features; returns the number of windows."""
    variant = opened.study.variant(cache.variant)
    places, splits = lister(opened, variant, cache)
    windows = open_windows(opened, variant, splits, cache.window)
    backbone = _backbone(opened, variant, cache.seed, device)
    writer = FeatureWriter(folder, cache.offsets, len(places), half=backbone.autocast)
    starts = range(0, len(places), CHUNK)
    for first in track(starts, f"features {cache.part}, {cache.source}"):
        pixels = _pixels(windows, places[first : first + CHUNK], cache.source).to(device)
        with torch.inference_mode():
            images = normalise(pixels)
            features = backbone(images.flatten(0, 1)).unflatten(0, images.shape[:2])
        writer.write(first, features)
    writer.close()
    return len(places)


def _pixels(windows: WindowSet, places: Places, source: str) -> Tensor:
    """Cuts the crops (n, T, H, W, 3) of some windows."""
    cut = windows.images if source == FRAMES else windows.rough
    return torch.from_numpy(np.stack([cut(key, drawn) for key, drawn in places]))


def validation_places(
    opened: Opened, variant: Variant, cache: Cache
) -> tuple[Places, list[Annotations]]:
    """Lists the windows of the validation boxes, and the annotations of the split."""
    annotations = read_annotations(opened.paths, "val")
    found = records.read(Detections, opened.paths.boxes(cache.boxes))
    return [(key, NONE) for key in box_keys(annotations, found)], [annotations]


def training_places(
    opened: Opened, variant: Variant, cache: Cache
) -> tuple[Places, list[Annotations]]:
    """Lists the augmented windows of a training, and the annotations of its splits."""
    settings = variant.experiment
    seed = opened.study.drawn_seed(variant.name, cache.seed)
    keys, pools, splits = training_keys(opened, variant)
    order = batches(
        pools,
        seed=seed,
        epochs=settings.training.epochs,
        batch=settings.training.batch,
        start=0,
    )
    places = [
        (keys[sample], draw_sample(settings.augmentation, seed, epoch, sample))
        for epoch, sample in sample_rows(order)
    ]
    return places, splits


def _backbone(opened: Opened, variant: Variant, seed: int, device: torch.device) -> Backbone:
    """Loads the backbone as second stages have it: frozen, in evaluation mode."""
    study, paths = opened
    name = study.stage_one(variant.name)
    file = paths.checkpoint(name, str(study.backbone_seed(seed)))
    autocast = use_bfloat16(variant.experiment.training.precision, device)
    model = build_model(study.variant(name).experiment, (), autocast)
    load_weights(model, read_checkpoint(file)["model"], file)
    return model.to(device).eval().backbone
