"""Predicts the validation split with a model that is already loaded."""

import torch

from tips import records
from tips.config import Variant
from tips.data.study_windows import open_windows
from tips.inference.predictor import Predictor
from tips.instances import box_keys, gather
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
) -> Predictions:
    """Predicts the validation split.

    Args:
        opened: the study.
        variant: the variant of the model.
        seed: the seed of its training.
        boxes: the kind of boxes, `gt` or `detected`.
        model: the model, in evaluation mode, on `device`.
        device: the device of the model.
        limit: the number of boxes, from the first, that are predicted; None for all.
    """
    annotations = read_annotations(opened.paths, "val")
    found = records.read(Detections, opened.paths.boxes(boxes))
    windows = open_windows(opened, variant, [annotations])
    keys = box_keys(annotations, found)[:limit]
    settings = opened.study.scale.evaluation
    predictor = Predictor(model, windows, settings, variant, device)
    batches_of_poses = predictor(keys)
    if limit is None:
        label = f"{variant.name} seed {seed}"
        batches_of_poses = track(batches_of_poses, label, -(-len(keys) // settings.batch))
    rows = gather(annotations, keys, [row for batch in batches_of_poses for row in batch])
    return Predictions(variant=variant.name, seed=seed, boxes=found.source, sequences=rows)
