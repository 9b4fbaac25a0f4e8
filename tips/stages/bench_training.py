"""Times training steps with the compiled kernels and in pure torch, one step each in turn."""

import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips import skeleton
from tips.bench.kernel_pages import training_page
from tips.bench.paired_timing import quartiles, timed
from tips.build import build_criterion, build_model
from tips.config import FULL, ConfigError, Experiment, load_experiment, load_study
from tips.criterion import forward_pass
from tips.device import using_threads
from tips.models.interfaces import Backbone, PoseModel
from tips.opened import EXPERIMENTS
from tips.ops import native
from tips.ops.heatmap import encode
from tips.progress import track
from tips.records import atomic_path, write_json
from tips.tensors import Target, Window
from tips.training.loop import build_optimizer


class Given(Backbone):
    """A backbone that computes nothing: batches of equal size get the same random features."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.channels, self.size = channels, size
        self.final_layer = nn.Conv2d(channels, skeleton.COUNT, 1)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Gives the same features for every batch of this size."""
        draw = torch.Generator().manual_seed(images.shape[0])
        return torch.randn(images.shape[0], self.channels, *self.size, generator=draw)


def run(
    out: Path = Path("results/bench/training_step.json"),
    report: Path = Path("reports/bench/training_step.md"),
    pairs: int = 30,
    paper_pairs: int = 3,
) -> None:
    """Writes seconds per training step of the full model at desk scale and of the paper-size head.

    Args:
        out: Writes one record per model and number of threads to this json file.
        report: Writes the same as a page to this Markdown file.
        pairs: Times this number of pairs of steps at desk scale.
        paper_pairs: Times this number of pairs of steps of the paper-size head, whose step takes
            about a minute without kernels.

    Raises:
        ConfigError: no compiled kernel, or no pairs.
    """
    if not native.serves("cpu"):
        raise ConfigError("no kernel is built; run `make kernels`")
    for option, value in (("--pairs", pairs), ("--paper-pairs", paper_pairs)):
        if value < 1:
            raise ConfigError(f"{option} must be at least 1; got {value}")
    desk = load_study("desk", EXPERIMENTS).variant(FULL).experiment
    cases = {
        "desk full model": (desk, desk.training.batch, pairs),
        "paper-size head": (load_experiment(EXPERIMENTS / "tips.yaml"), 1, paper_pairs),
    }
    rows = []
    for threads in (1, 2):
        with using_threads(threads):
            for name, (experiment, batch, count) in track(cases.items(), f"{threads} thread", 2):
                model = _model(experiment, given=name.startswith("paper"))
                step = training_step(experiment, model, batch)
                rows.append(record(name, threads, batch, step, count))
    write_json(rows, out)
    with atomic_path(report) as temporary:
        temporary.write_text(training_page(rows), encoding="utf-8")


def _model(experiment: Experiment, *, given: bool) -> PoseModel:
    torch.manual_seed(0)
    model = build_model(experiment, experiment.groups())
    if given:
        model.backbone = Given(model.backbone.channels, experiment.map_size)
    model.backbone.requires_grad_(False)
    return model.train()


def training_step(experiment: Experiment, model: PoseModel, batch: int) -> Callable[[], object]:
    """Prepares one step on fixed random windows: forward, every loss, backward, Adam.

    Args:
        experiment: the configuration of the model.
        model: the model, in training mode.
        batch: the number of windows.

    Returns:
        A function that makes one step.
    """
    criterion = build_criterion(experiment, model)
    optimizer = build_optimizer(model, criterion, experiment.training)
    window, target = _batch(experiment, batch)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        one = forward_pass(model, window, target, coordinates=criterion.reads_coordinates)
        criterion(one)["total"].backward()
        optimizer.step()

    return step


def _batch(experiment: Experiment, batch: int) -> tuple[Window, Target]:
    draw = torch.Generator().manual_seed(0)
    frames = len(experiment.window)
    height, width = experiment.crop.height, experiment.crop.width
    size = experiment.map_size
    far = torch.tensor([size[1] - 1.0, size[0] - 1.0])
    joints = torch.rand(batch, skeleton.COUNT, 2, generator=draw) * far
    weights = torch.ones(batch, skeleton.COUNT)
    maps = [encode(one.numpy(), weights[0].numpy(), *size) for one in joints]
    return (
        Window(
            torch.randn(batch, frames, 3, height, width, generator=draw),
            torch.randn(batch, frames - 1, 3, height, width, generator=draw),
        ),
        Target(
            torch.stack([torch.from_numpy(one) for one in maps]),
            joints,
            weights,
            torch.zeros(batch, frames - 1, dtype=torch.bool),
        ),
    )


def record(
    name: str, threads: int, batch: int, step: Callable[[], object], pairs: int
) -> dict[str, Any]:
    """Times one step with the compiled kernels and in pure torch, both in turn.

    Args:
        name: the name of the model.
        threads: the number of torch's threads that are set now.
        batch: the number of windows of the step.
        step: makes one step.
        pairs: the number of timed pairs of steps.

    Returns:
        The record of the model, as `run` writes it.
    """

    def torch_alone() -> None:
        with _without_kernels():
            step()

    found = timed(torch_alone, step, pairs)
    ratios = [a / b for a, b in found]
    return {
        "model": name,
        "threads": threads,
        "batch": batch,
        "reference": "the same step with TIPS_KERNELS=torch",
        "pairs": pairs,
        "ratio": round(statistics.median(ratios), 3),
        "quartiles": quartiles(ratios),
        "seconds": {
            "reference": round(statistics.median(a for a, _ in found), 4),
            "ours": round(statistics.median(b for _, b in found), 4),
        },
    }


@contextmanager
def _without_kernels() -> Iterator[None]:
    """Switches the compiled kernels off for a while, as TIPS_KERNELS=torch does for a process."""
    served = native.served
    native.served = frozenset  # type: ignore[misc,assignment]
    try:
        yield
    finally:
        native.served = served  # type: ignore[misc]
