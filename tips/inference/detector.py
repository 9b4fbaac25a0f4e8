"""Finds people in frames with torchvision's Faster R-CNN."""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torchvision.models.detection import fasterrcnn_resnet50_fpn_v2

from tips.checkpoints import load_weights, published_state
from tips.data.detections import PERSON
from tips.data.frames import FrameStore
from tips.ops.image import Image
from tips.progress import track
from tips.records import Annotations, Box, Detection, Detections, RecordError

COCO_CLASSES: Final = 91


def load_detector(path: Path) -> nn.Module:
    """Builds the detector from local weights; nothing is ever downloaded.

    Raises:
        RecordError: the file is missing, truncated or of another network.
    """
    find_weights(path)
    state = published_state(path)
    model = fasterrcnn_resnet50_fpn_v2(
        weights=None, weights_backbone=None, num_classes=COCO_CLASSES
    )
    load_weights(model, state, path)
    return model.eval()


def find_weights(path: Path) -> None:
    """Looks for the detector's weights. Raises RecordError if there are none."""
    if not path.is_file():
        raise RecordError(
            f"{path}: no such checkpoint; put torchvision's weights of fasterrcnn_resnet50_fpn_v2 "
            "there, or give a file of boxes as evaluation.detections"
        )


def find_people(
    model: nn.Module, annotations: Annotations, frames: FrameStore, device: torch.device
) -> Detections:
    """Finds the people of every labelled frame with a torchvision detector.

    Args:
        model: the detector, in evaluation mode, on `device`.
        annotations: the sequences; frames without labels are skipped.
        frames: gives a frame (H, W, 3) in RGB by its sequence and number.
        device: the device of the model.

    Returns:
        Boxes in image px, with their scores.
    """
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
    """Finds the people of one frame.

    Args:
        model: the detector, in evaluation mode, on `device`.
        image: the frame (H, W, 3) in RGB.
        device: the device of the model.

    Returns:
        Boxes in image px with their scores, the best first.
    """
    pixels = torch.from_numpy(image.copy()).to(device)
    answer: dict[str, Tensor] = model([pixels.permute(2, 0, 1).float() / 255])[0]
    rows = zip(*(answer[key].tolist() for key in ("boxes", "labels", "scores")), strict=True)
    return [
        ((x1, y1, x2 - x1, y2 - y1), score)
        for (x1, y1, x2, y2), label, score in rows
        if label == PERSON and x2 > x1 and y2 > y1
    ]
