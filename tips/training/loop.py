"""The training loop: Adam, the paper's step schedule, exact resume, finite checks."""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from tips.config import Training
from tips.criterion import forward_pass
from tips.data.windows import Sample, to_device
from tips.models.interfaces import PoseModel
from tips.models.layers import SlowParameters
from tips.training.meter import Meter
from tips.training.schedule import Draws, batches, rate_factor, steps_per_epoch
from tips.training.state import StateFolder

log = logging.getLogger(__name__)

Loader = Callable[[Iterator[list[tuple[int, int]]]], Iterable[Any]]


class TrainingError(ValueError):
    """A run that cannot go on, such as a loss that is not finite."""


def pose_terms(job: "Job", stacked: Sample) -> dict[str, Tensor]:
    """Runs a pose model on one batch: every loss by name, and their `total`."""
    assert isinstance(job.model, PoseModel)
    batch = to_device(stacked, job.device)
    terms: dict[str, Tensor] = job.criterion(forward_pass(job.model, batch.window, batch.target))
    return terms


class Job(NamedTuple):
    """Everything one training needs."""

    model: nn.Module
    criterion: nn.Module
    settings: Training
    pools: Sequence[Draws]
    load: Loader  # batches of (epoch, sample) -> stacked samples
    seed: int
    device: torch.device
    terms: Callable[["Job", Any], dict[str, Tensor]] = pose_terms  # of one batch


class Outcome(NamedTuple):
    """What a finished training tells."""

    steps: int
    resumed: int  # step that the last start continued from
    seconds: float  # of all starts together


def fit(job: Job, state: StateFolder) -> Outcome:
    """Trains to the end, continuing from `state` if there is one.

    Raises:
        TrainingError: if a loss is not finite; names the term and the step.
    """
    settings = job.settings
    optimizer = build_optimizer(job.model, job.criterion, settings)
    total = settings.epochs * steps_per_epoch(job.pools, settings.batch)
    meter = Meter()
    start, spent = _restore(job, optimizer, meter, state)
    began = time.monotonic()
    todo = batches(
        job.pools, seed=job.seed, epochs=settings.epochs, batch=settings.batch, start=start
    )
    job.model.train()
    optimizer.zero_grad(set_to_none=True)
    for step, stacked in enumerate(_shown(job.load(todo), start, total), start=start):
        rate = settings.learning_rate * rate_factor(
            step, total, settings.milestones, settings.decay
        )
        for group in optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        terms = _step(job, stacked, step)
        if (step + 1) % settings.accumulation == 0 or step + 1 == total:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        meter.add(terms)
        if (step + 1) % settings.log_every == 0 or step + 1 == total:
            epoch = step // steps_per_epoch(job.pools, settings.batch)
            values = {name: round(value, 6) for name, value in meter.take().items()}
            whole = values.pop("total")
            state.log({"step": step, "epoch": epoch, "rate": rate, "terms": values, "total": whole})
        if (step + 1) % _saving(settings) == 0 and step + 1 < total:
            seconds = spent + time.monotonic() - began
            state.save(_snapshot(job, optimizer, meter, step + 1, seconds))
    return Outcome(total, start, spent + time.monotonic() - began)


def build_optimizer(model: nn.Module, criterion: nn.Module, settings: Training) -> torch.optim.Adam:
    """Builds Adam; sampling offsets learn at a rate of their own, as in Deformable DETR."""
    layers = [layer for layer in model.modules() if isinstance(layer, SlowParameters)]
    offsets = {id(parameter) for layer in layers for parameter in layer.slow_parameters()}
    slow: list[Tensor] = []
    normal: list[Tensor] = []
    for module in (model, criterion):
        for parameter in module.parameters():
            if parameter.requires_grad:
                (slow if id(parameter) in offsets else normal).append(parameter)
    groups = [{"params": normal, "factor": 1.0}]
    if slow:
        groups.append({"params": slow, "factor": settings.sampling_rate_factor})
    return torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)


def _step(job: Job, stacked: Any, step: int) -> dict[str, Tensor]:
    # Dropout draws from the step's own seed, so that a resumed run repeats an unbroken one.
    torch.manual_seed(job.seed * 1_000_003 + step)
    terms = job.terms(job, stacked)
    for name, value in terms.items():
        if not torch.isfinite(value):
            raise TrainingError(
                f"loss '{name}' is {value.item()} at step {step}; lower training.learning_rate "
                "or its weight in losses"
            )
    (terms["total"] / job.settings.accumulation).backward()
    return terms


def _saving(settings: Training) -> int:
    """Steps between states: whole accumulation cycles, since gradients are not saved."""
    return -(-settings.checkpoint_every // settings.accumulation) * settings.accumulation


def _restore(
    job: Job, optimizer: torch.optim.Adam, meter: Meter, state: StateFolder
) -> tuple[int, float]:
    saved = state.load()
    if saved is None:
        return 0, 0.0
    job.model.load_state_dict(saved["model"])
    job.criterion.load_state_dict(saved["criterion"])
    optimizer.load_state_dict(saved["optimizer"])
    meter.load_state_dict(saved["meter"])
    log.info("resuming at step %d", saved["step"])
    return int(saved["step"]), float(saved["seconds"])


def _snapshot(
    job: Job, optimizer: torch.optim.Adam, meter: Meter, step: int, seconds: float
) -> dict[str, Any]:
    return {
        "step": step,
        "seconds": seconds,
        "model": job.model.state_dict(),
        "criterion": job.criterion.state_dict(),
        "optimizer": optimizer.state_dict(),
        "meter": meter.state_dict(),
    }


def _shown(stacked: Iterable[Any], start: int, total: int) -> Iterator[Any]:
    """Shows a bar on a terminal, and a line now and then in a log."""
    live = sys.stderr.isatty()
    bar = tqdm(
        stacked,
        initial=start,
        total=total,
        unit="step",
        mininterval=1 if live else 30,
        maxinterval=10 if live else 60,
        ascii=not live,
    )
    yield from bar
