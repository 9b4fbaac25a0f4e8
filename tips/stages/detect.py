"""Person boxes of the validation split: from a file, from a detector, or simulated."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

from tips import records
from tips.checkpoints import load_weights, published_state
from tips.config import ConfigError, Evaluation
from tips.data.boxes import detected_boxes
from tips.data.detections import PERSON, read_detections
from tips.data.frames import FrameStore, open_frames
from tips.ops.image import Image
from tips.records import Annotations, Box, Detection, Detections, RecordError
from tips.stages._progress import track
from tips.stages._study import Opened, open_study, read_annotations
from tips.training.device import choose_device, use_threads

COCO_CLASSES: Final = 91


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


def load_detector(path: Path) -> nn.Module:
    """Builds the detector from local weights; nothing is ever downloaded.

    Raises:
        RecordError: the file is missing, truncated or of another network.
    """
    if not path.exists():
        raise RecordError(
            f"{path}: no such checkpoint; put torchvision's weights of fasterrcnn_resnet50_fpn_v2 "
            "there, or give a file of boxes as evaluation.detections"
        )
    state = published_state(path)
    model = fasterrcnn_resnet50_fpn_v2(
        weights=None, weights_backbone=None, num_classes=COCO_CLASSES
    )
    load_weights(model, state, path)
    return model.eval()


def find_people(
    model: nn.Module, annotations: Annotations, frames: FrameStore, device: torch.device
) -> Detections:
    """Runs a torchvision detector over every labelled frame and keeps its people."""
    places = [
        (sequence.name, position)
        for sequence in annotations.sequences
        for position, frame in enumerate(sequence.frames)
        if frame.labelled
    ]
    boxes: list[Detection] = []
    for sequence, position in track(places, "detecting people"):
        boxes.extend(
            Detection(sequence=sequence, frame=position, box=box, score=score)
            for box, score in detect(model, frames(sequence, position), device)
        )
    return Detections(source="detected", boxes=tuple(boxes))


@torch.inference_mode()
def detect(model: nn.Module, image: Image, device: torch.device) -> list[tuple[Box, float]]:
    """Finds the people of one frame (H, W, 3) RGB: boxes with scores, the best first."""
    pixels = torch.from_numpy(image.copy()).to(device)
    answer: dict[str, Tensor] = model([pixels.permute(2, 0, 1).float() / 255])[0]
    rows = zip(*(answer[key].tolist() for key in ("boxes", "labels", "scores")), strict=True)
    return [
        ((x1, y1, x2 - x1, y2 - y1), score)
        for (x1, y1, x2, y2), label, score in rows
        if label == PERSON and x2 > x1 and y2 > y1
    ]
