"""A network of one convolution that trains in milliseconds, its data and its job."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from tips import skeleton
from tips.config import Training
from tips.criterion import Criterion
from tips.data.order import Draws
from tips.data.windows import Labels, Sample, collate
from tips.losses.heatmap import HeatmapLoss
from tips.models.interfaces import Backbone, PoseModel
from tips.models.layers import SlowParameters
from tips.tensors import PoseOutput
from tips.terms import Loss, Pass
from tips.training.loop import Job
from tips.training.state import StateFolder

SETTINGS = Training(
    epochs=4,
    batch=4,
    accumulation=1,
    learning_rate=0.02,
    sampling_rate_factor=0.1,
    milestones=(0.4, 0.64, 0.8),
    decay=0.1,
    windows_per_epoch=None,
    stills_per_epoch=0,
    checkpoint_every=3,
    log_every=1,
    precision="fp32",
    workers=0,
)
J = skeleton.COUNT


class Shift(SlowParameters):
    """One number, added to all maps."""

    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.zeros(1))

    def slow_parameters(self) -> Iterator[nn.Parameter]:
        yield self.by

    def forward(self, maps: Tensor) -> Tensor:
        return maps + self.by


class Toy(PoseModel):
    """Reads maps from 8x8 images with one convolution and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, J, 3, padding=1)
        self.norm = nn.BatchNorm2d(J)
        self.drop = nn.Dropout(0.2)
        self.shift = Shift()
        self.backbone = Backbone()  # nobody asks it for maps

    def forward(self, images: Tensor, rough: Tensor) -> PoseOutput:
        F = images[:, 0]
        return PoseOutput(self.shift(self.norm(self.layer(self.drop(F)))), F[:, None])


class Bad(Loss):
    """Turns to NaN at a step."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at, self.step = at, -1

    def forward(self, one: Pass) -> Tensor:
        self.step += 1
        return one.output.maps.sum() * (float("nan") if self.step == self.at else 0.0)


def samples(count: int) -> list[Sample]:
    rng = np.random.default_rng(0)
    out = []
    for _ in range(count):
        image = np.zeros((1, 8, 8, 3), np.uint8)
        joints = rng.integers(1, 7, (J, 2)).astype(np.float32)
        joints[:] = joints[0]
        x, y = joints[0].astype(int)
        image[0, y, x] = 255
        maps = np.zeros((J, 8, 8), np.float32)
        maps[:, y, x] = 1
        out.append(
            Sample(
                images=image,
                rough=np.zeros((0, 8, 8, 3), np.uint8),
                labels=Labels(
                    maps=maps,
                    joints=joints,
                    weights=np.ones(J, np.float32),
                    padded=np.zeros(0, bool),
                    affine=np.eye(2, 3),
                ),
            )
        )
    return out


DATA = samples(20)


def load(order: Iterator[list[tuple[int, int]]]) -> Iterable[Sample]:
    return (collate([DATA[sample] for _, sample in batch]) for batch in order)


def job(settings: Training = SETTINGS, extra: Loss | None = None, seed: int = 0) -> Job:
    torch.manual_seed(seed)
    terms: dict[str, Loss] = {"heatmap": HeatmapLoss()} | ({"bad": extra} if extra else {})
    return Job(
        model=Toy(),
        criterion=Criterion(terms, dict.fromkeys(terms, 1.0)),
        settings=settings,
        pools=[Draws(len(DATA), None)],
        load=load,
        seed=seed,
        device=torch.device("cpu"),
    )


def state_in(folder: Path) -> StateFolder:
    folder.mkdir(parents=True, exist_ok=True)  # as `locked` does
    return StateFolder(folder, "k")
