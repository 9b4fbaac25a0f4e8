"""Builds a network on any device, with random windows and a training step, to count or time it."""

from collections.abc import Callable
from typing import NamedTuple

import torch

from tips.build import build_criterion, build_model
from tips.checkpoints import COCO
from tips.config import BACKBONE, Experiment
from tips.criterion import Criterion, forward_pass
from tips.models.backbones import build_backbone
from tips.models.interfaces import PoseModel
from tips.tensors import Target, Window


class Subject(NamedTuple):
    """A model, and the window that it is called with."""

    experiment: Experiment
    model: PoseModel
    window: Window


def subject(experiment: Experiment, device: str, batch: int = 1, autocast: bool = False) -> Subject:
    """Builds a model and random windows.

    The single-frame HRNet gets COCO's 17 joints, as published and as the tables count it.

    Args:
        experiment: the configuration of the model.
        device: the name of the device, such as cpu, cuda or meta.
        batch: the number of windows.
        autocast: whether the backbone computes in bfloat16, see `build_model`.
    """
    e = experiment
    with torch.device(device):
        model = build_model(e, e.groups(), autocast)
        if e.first_stage and e.backbone.kind == BACKBONE:
            model.backbone = build_backbone(e, autocast, joints=len(COCO))
        size = (e.crop.height, e.crop.width)
        rough = len(e.window) - 1 if e.interim_frames else 0
        images = torch.rand(batch, len(e.window), 3, *size)
        window = Window(images, torch.rand(batch, rough, 3, *size))
    return Subject(e, model.eval(), window)


def training_step(counted: Subject) -> tuple[Criterion, Callable[[], None]]:
    """Builds a model's losses, and a function that makes a step: forward, losses, backward."""
    experiment, model, window = counted
    batch, frames = window.images.shape[:2]
    height, width = experiment.map_size
    with window.images.device:
        joints = model.backbone.final_layer.out_channels
        target = Target(
            maps=torch.rand(batch, joints, height, width),
            joints=torch.rand(batch, joints, 2),
            weights=torch.ones(batch, joints),
            padded=torch.zeros(batch, frames - 1, dtype=torch.bool),
        )
        criterion = build_criterion(experiment, model)

    def step() -> None:
        one = forward_pass(model.train(), window, target, coordinates=criterion.reads_coordinates)
        criterion(one)["total"].backward()

    return criterion, step
