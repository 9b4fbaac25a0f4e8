"""Writes the validation split's person boxes: read from a file, detected, or simulated."""

from tips import records
from tips.config import ConfigError, Evaluation
from tips.data.boxes import detected_boxes
from tips.data.detections import read_detections
from tips.data.frames import open_frames
from tips.device import choose_device, use_threads
from tips.inference.detector import find_people, load_detector
from tips.opened import Opened, open_study, read_annotations
from tips.records import Annotations, Detections


def run(scale: str = "desk", root: str = "", device: str = "auto", threads: int = 1) -> None:
    """Writes boxes-detected.json: the boxes whose score is at least `evaluation.threshold`.

    If the scale names `evaluation.detections`, a file below the dataset's root, boxes are read from
    it. If it names `evaluation.checkpoint`, also a file there, torchvision's Faster R-CNN finds
    them with these weights. Else `evaluation.detector` spoils the true boxes as a detector might.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        device: Runs on this device: cpu, cuda, or auto to choose.
        threads: Sets the number of threads on the CPU; 0 is one per core.

    Raises:
        ConfigError: the scale names no source.
        RecordError: the file is missing or malformed.
    """
    use_threads(threads)
    opened = open_study(scale, root)
    annotations = read_annotations(opened.paths, "val")
    settings = opened.study.scale.evaluation
    found = _boxes(opened, settings, annotations, device)
    kept = tuple(box for box in found.boxes if box.score >= settings.threshold)
    records.write(found.model_copy(update={"boxes": kept}), opened.paths.boxes("detected"))


def _boxes(
    opened: Opened, settings: Evaluation, annotations: Annotations, device: str
) -> Detections:
    root = opened.paths.root
    if settings.detections is not None:
        return read_detections(root / settings.detections, annotations, settings.threshold)
    if settings.checkpoint is not None:
        frames = open_frames(opened.study.scale.dataset, opened.paths, annotations)
        chosen = choose_device(device, opened.study.scale)
        model = load_detector(root / settings.checkpoint).to(chosen)
        return find_people(model, annotations, frames, chosen)
    if settings.detector is not None:
        return detected_boxes(annotations, settings.detector)
    raise ConfigError(
        f"scale {opened.study.scale.name}: no person boxes: give evaluation.detections (a json of "
        "boxes) or evaluation.checkpoint (weights of torchvision's fasterrcnn_resnet50_fpn_v2)"
    )
