"""Every file of experiments/ at smoke scale: 64 x 64 crops, a batch of two."""

import copy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tips import skeleton
from tips.build import build_criterion, build_model
from tips.config import Experiment, load_experiment, load_scale
from tips.config.loader import experiment_files
from tips.criterion import Criterion, forward_pass
from tips.models.interfaces import PoseModel
from tips.ops.heatmap import encode
from tips.tensors import Coordinates, PoseOutput, Target, Window

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FILES = experiment_files(EXPERIMENTS)
BATCH, JOINTS = 2, skeleton.COUNT
each = pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)


def learns(file: Path) -> bool:
    return experiment_of(file).learns


class Built(NamedTuple):
    experiment: Experiment
    model: PoseModel  # fresh
    window: Window
    target: Target

    @property
    def map_size(self) -> tuple[int, int]:
        crop, stride = self.experiment.crop, self.experiment.backbone.stride
        return crop.height // stride, crop.width // stride


@cache
def experiment_of(file: Path) -> Experiment:
    # Data-driven groups come from a file that a rule writes; any partition does here.
    return load_experiment(file, load_scale("smoke", EXPERIMENTS)).with_any_groups()


each_that_learns = pytest.mark.parametrize(
    "file", list(filter(learns, FILES)), ids=lambda path: path.stem
)


@cache
def built(file: Path) -> Built:
    experiment = experiment_of(file)
    torch.manual_seed(0)
    model = build_model(experiment, experiment.groups())
    return Built(experiment, model, *data(experiment))


def data(experiment: Experiment) -> tuple[Window, Target]:
    draw = torch.Generator().manual_seed(0)
    size = (experiment.crop.height, experiment.crop.width)
    height, width = (side // experiment.backbone.stride for side in size)
    frames = len(experiment.window)
    intervals = 0 if experiment.interim_frames is None else frames - 1
    images = torch.randn(BATCH, frames, 3, *size, generator=draw)
    rough = torch.randn(BATCH, intervals, 3, *size, generator=draw)
    last = torch.tensor([width - 1, height - 1])
    joints = last * torch.rand(BATCH, JOINTS, 2, generator=draw)
    weights = torch.ones(BATCH, JOINTS)
    weights[0, 3] = 0
    pairs = zip(joints.numpy(), weights.numpy(), strict=True)
    maps = np.stack([encode(j, w, height, width) for j, w in pairs])
    padded = torch.zeros(BATCH, frames - 1, dtype=torch.bool)
    return Window(images, rough), Target(torch.from_numpy(maps), joints, weights, padded)


@cache
def answer(file: Path) -> tuple[PoseOutput, Coordinates | None]:
    """What the fresh model says in evaluation mode."""
    model, window = built(file).model.eval(), built(file).window
    with torch.inference_mode():
        output = model(*window)
        return output, model.coordinates(output)


def awake(file: Path) -> tuple[PoseModel, Criterion]:
    """A trained-looking copy: layers that start at zero would hide what lies behind them."""
    case = built(file)
    model = copy.deepcopy(case.model)
    torch.manual_seed(1)
    criterion = build_criterion(case.experiment, model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model, criterion


@cache
def settled(file: Path) -> PoseModel:
    """An awake copy whose batch norms know the window, in evaluation mode.

    Without them the moved weights could blow offsets up, and a sample off the map shows nothing.
    """
    model, _ = awake(file)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches; there is one
    with torch.no_grad():
        model.coordinates(model.train()(*built(file).window))
    return model.eval()


def terms(file: Path, model: PoseModel, criterion: Criterion, target: Target) -> dict[str, Tensor]:
    found: dict[str, Tensor] = criterion(forward_pass(model, built(file).window, target))
    return found


def total(file: Path, model: PoseModel, criterion: Criterion, target: Target) -> Tensor:
    found = terms(file, model, criterion, target)
    assert all(torch.isfinite(value) for value in found.values()), found
    return found["total"]


def tensors(value: Any, name: str = "") -> dict[str, Tensor]:
    """Every tensor that a record holds, however deep, by its dotted name."""
    if isinstance(value, Tensor):
        return {name: value}
    found: dict[str, Tensor] = {}
    for key, inner in members(value):
        found |= tensors(inner, f"{name}.{key}" if name else key)
    return found


def members(value: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of what a record or a tuple holds."""
    if hasattr(value, "_asdict"):
        yield from value._asdict().items()
    elif isinstance(value, tuple | list):
        yield from ((str(i), inner) for i, inner in enumerate(value))
    else:
        assert value is None, f"{type(value).__name__} is no record and no tensor"
