"""Person boxes of the validation split: from a file, from a detector, or simulated."""

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
    """Writes boxes-detected.json, boxes of `evaluation.threshold` and more.

    They come from `evaluation.detections`, a file below the dataset's root; or from torchvision's
    Faster R-CNN with the weights of `evaluation.checkpoint`, a file there too; or from
    `evaluation.detector`, which spoils the true boxes as a detector might.

    Args:
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        device: auto, cpu or cuda.
        threads: of torch on the CPU; 0: one per core.

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
        chosen = choose_device(device)
        model = load_detector(root / settings.checkpoint).to(chosen)
        return find_people(model, annotations, frames, chosen)
    if settings.detector is not None:
        return detected_boxes(annotations, settings.detector)
    raise ConfigError(
        f"scale {opened.study.scale.name}: no person boxes: give evaluation.detections (a json of "
        "boxes) or evaluation.checkpoint (weights of torchvision's fasterrcnn_resnet50_fpn_v2)"
    )
