"""Predicts the validation split with a model that is already loaded."""

import torch

from tips import records
from tips.config import Variant
from tips.data.study_windows import open_windows
from tips.features.make import validation_places
from tips.features.seen import open_seen
from tips.inference.predictor import Predictor
from tips.instances import box_keys, gather
from tips.kept import of_validation
from tips.models.interfaces import PoseModel
from tips.opened import Opened, read_annotations
from tips.progress import track
from tips.records import Detections, Predictions


def predict(
    opened: Opened,
    variant: Variant,
    seed: int,
    boxes: str,
    model: PoseModel,
    device: torch.device,
    limit: int | None = None,
    *,
    live: bool = False,
) -> Predictions:
    """Predicts the validation split.

    Args:
        opened: the study.
        variant: the variant of the model.
        seed: the seed of its training.
        boxes: the kind of boxes, `gt` or `detected`.
        model: the model, in evaluation mode, on `device`.
        device: the device of the model.
        live: whether the model runs its backbone although its features are kept.
        limit: the number of boxes, from the first, that are predicted; None for all.
    """
    annotations = read_annotations(opened.paths, "val")
    found = records.read(Detections, opened.paths.boxes(boxes))
    windows = open_windows(opened, variant, [annotations])
    keys = box_keys(annotations, found)[:limit]
    settings = opened.study.scale.evaluation
    caches = [] if live else of_validation(opened.study, variant.name, seed, boxes)
    seen = None
    if caches:
        seen = open_seen(opened, caches, variant.experiment, device, validation_places)
    predictor = Predictor(model, windows, settings, variant, device, seen)
    batches_of_poses = predictor(keys)
    if limit is None:
        label = f"{variant.name} seed {seed}"
        batches_of_poses = track(batches_of_poses, label, -(-len(keys) // settings.batch))
    rows = gather(annotations, keys, [row for batch in batches_of_poses for row in batch])
    return Predictions(variant=variant.name, seed=seed, boxes=found.source, sequences=rows)
