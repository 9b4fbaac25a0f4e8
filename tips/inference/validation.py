"""Predicts the validation split with a model at hand."""

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
    """Predicts the validation split; the stage `predict` records it.

    Args:
        opened: the study.
        variant: whose model it is.
        seed: of the run.
        boxes: `gt` or `detected`.
        model: in evaluation mode, on `device`.
        device: where it runs.
        limit: predicts for the first boxes only; None: for all.
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
