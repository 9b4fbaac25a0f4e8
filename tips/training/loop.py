"""The training loop: Adam, the paper's step schedule, exact resume, refusal of losses not finite.

`fit` trains every network: stage one, the second stages and VFIT; a `Job` holds what differs. A GPU
runs behind the Python code: an operation returns when it is queued, not when it is done. Comments
mark the places where this process waits for it.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from tips.config import Training
from tips.criterion import Criterion, forward_pass, gathered
from tips.data.order import Draws, batches, steps_per_epoch
from tips.data.windows import Sample, to_device, to_target
from tips.models.interfaces import PoseModel, SecondStage
from tips.models.layers import SlowParameters
from tips.records import RecordError
from tips.tensors import Seen
from tips.training.batches import SeenSample
from tips.training.meter import Meter
from tips.training.ranks import Alone, Cycle, Ranks, Taken
from tips.training.schedule import rate_factor
from tips.training.state import StateFolder
from tips.training.stopping import end_at, noted_signals

log = logging.getLogger(__name__)

# What torch raises if it is given the state of something else.
_MISFIT = (AttributeError, LookupError, RuntimeError, TypeError, ValueError)
Loader = Callable[[Iterator[list[tuple[int, int]]]], Iterable[Any]]


class TrainingError(ValueError):
    """A training that cannot continue, because a loss is not finite."""


def pose_terms(job: "Job", stacked: Sample) -> dict[str, Tensor]:
    """Runs a pose model on one batch. Returns every loss by name, and their weighted `total`."""
    assert isinstance(job.model, PoseModel)
    assert isinstance(job.criterion, Criterion)
    # Images are copied as uint8 (B, T, H, W, 3), a quarter of the bytes, and become normalised
    # floats (B, T, 3, H, W) on the device. The copy waits.
    batch = to_device(stacked, job.device)
    reads = job.criterion.reads_coordinates
    one = forward_pass(job.model, batch.window, batch.target, coordinates=reads)
    terms: dict[str, Tensor] = job.criterion(one)
    return terms


def seen_terms(job: "Job", stacked: SeenSample) -> dict[str, Tensor]:
    """Does the same for a batch whose pictures the backbone has seen already."""
    assert isinstance(job.model, SecondStage)
    assert isinstance(job.criterion, Criterion)
    seen = Seen(stacked.seen.F.to(job.device), stacked.seen.F_rough.to(job.device))
    target = to_target(stacked.labels, job.device)
    reads = job.criterion.reads_coordinates
    one = gathered(job.model, job.model.estimate(seen), target, coordinates=reads)
    terms: dict[str, Tensor] = job.criterion(one)
    return terms


class Job(NamedTuple):
    """Everything that one training needs."""

    model: nn.Module  # on `device`
    criterion: nn.Module  # the losses; may own auxiliary heads, which learn with the model
    settings: Training
    pools: Sequence[Draws]
    load: Loader  # batches of (epoch, sample) -> stacked samples
    seed: int
    device: torch.device
    terms: Callable[["Job", Any], dict[str, Tensor]] = pose_terms  # losses of one batch, by name


class Outcome(NamedTuple):
    """Summary of a finished training."""

    steps: int  # number of steps of the whole training
    resumed: int  # step that the last start of the process continued from; 0: from the beginning
    seconds: float  # time of all starts together


def fit(job: Job, state: StateFolder, ranks: Ranks | None = None) -> Outcome:
    """Trains to the end; continues from `state` if an earlier start left one.

    A model without anything to learn is finished at once. A step is one batch. The optimizer
    updates the weights once per cycle, which is every `accumulation` steps. At SIGTERM and SIGUSR1
    the cycle is completed and saved, and the process ends.

    Args:
        job: what is trained, on what and how.
        state: folder of the training's state and of the journal of its losses.
        ranks: the processes that train together, whose number divides `accumulation`; None: only
            this one.

    Raises:
        TrainingError: if a loss is not finite; the message names the term and the step.
        SystemExit: if a signal asked for the end.
    """
    settings, ranks = job.settings, ranks or Alone()
    if not any(parameter.requires_grad for parameter in job.model.parameters()):
        state.journal.write_text("", encoding="utf-8")
        return Outcome(0, 0, 0.0)
    optimizer = build_optimizer(job.model, job.criterion, settings)
    total = settings.epochs * steps_per_epoch(job.pools, settings.batch)
    meter = Meter()
    start, spent = _restore(job, optimizer, meter, state, ranks)
    began = time.monotonic()
    job.model.train()  # a second stage keeps its frozen backbone in evaluation mode by itself
    ranks.watch((job.model, job.criterion))
    optimizer.zero_grad(set_to_none=True)
    with noted_signals() as came:
        for cycle in _cycles(job, range(start, total), ranks, came):
            ranks.add_up(part for group in optimizer.param_groups for part in group["params"])
            # Gradients are not clipped, as the paper mentions no clipping.
            done = max(cycle.steps) + 1
            set_rate(optimizer, done - 1, total, settings)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)  # None frees memory; zeros would be written
            for step, taken in cycle.steps.items():
                _note(job, meter, state if ranks.rank == 0 else None, step, taken, total)
            # Save last, when step, weights, moments and meter belong together. Copying waits for
            # the device, writing for the disk. If this process is ended after the last step, the
            # next one only writes the outputs.
            if done % _saving(settings) == 0 or done == total or cycle.signal:
                if ranks.rank == 0:
                    seconds = spent + time.monotonic() - began
                    state.save(_snapshot(job, optimizer, meter, done, seconds))
                end_at(cycle.signal, done)
    return Outcome(total, start, spent + time.monotonic() - began)


def _cycles(job: Job, steps: range, ranks: Ranks, came: list[int]) -> Iterator[Cycle]:
    """Yields each cycle when its gradients are in the parameters; the last one may be shorter.

    Every random choice follows from seed, epoch, sample and step. So the batches from any step on
    are those of a training without interruption, and no generator's state is saved.

    Args:
        job: what is trained.
        steps: the steps that are left.
        ranks: of them, each takes its own.
        came: the signals that came so far.

    Raises:
        TrainingError: if a loss is not finite.
    """
    order = enumerate(whole_order(job, steps.start), start=steps.start)
    own = (batch for step, batch in order if step % ranks.count == ranks.rank)
    loaded = iter(job.load(own))
    taken: dict[int, Taken] = {}
    for step in _shown(steps, ranks):
        if step % ranks.count == ranks.rank:
            # The next batch waits for the data; with workers, only if that is slower than the step.
            taken[step] = _step(job, next(loaded), step)._replace(statistics=ranks.statistics())
        if (step + 1) % job.settings.accumulation == 0 or step + 1 == steps.stop:
            cycle = ranks.together(Cycle(taken, came[0] if came else 0))
            _refuse(cycle)
            yield cycle
            taken = {}


def _note(
    job: Job, meter: Meter, state: StateFolder | None, step: int, taken: Taken, total: int
) -> None:
    """Adds the losses of a step; at some steps their means since the last time are logged."""
    meter.add(taken.terms)  # sums on the device, so it does not wait
    if (step + 1) % job.settings.log_every and step + 1 < total:
        return
    # Reading the means waits until all queued work is done.
    values = {name: round(value, 6) for name, value in meter.take().items()}
    whole = values.pop("total")
    rate = job.settings.learning_rate * rate_factor(step, total, job.settings)
    epoch = step // steps_per_epoch(job.pools, job.settings.batch)
    if state is not None:
        state.log({"step": step, "epoch": epoch, "rate": rate, "terms": values, "total": whole})


def set_rate(optimizer: torch.optim.Adam, step: int, total: int, settings: Training) -> float:
    """Sets the learning rate of a step out of `total`, and returns it.

    Sampling offsets have a smaller one, by the factor that `build_optimizer` noted.
    """
    rate = settings.learning_rate * rate_factor(step, total, settings)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    return rate


def whole_order(job: Job, start: int = 0) -> Iterator[list[tuple[int, int]]]:
    """Yields the batches of a training from step `start` on, each a list of (epoch, sample)."""
    settings = job.settings
    return batches(
        job.pools, seed=job.seed, epochs=settings.epochs, batch=settings.batch, start=start
    )


def build_optimizer(model: nn.Module, criterion: nn.Module, settings: Training) -> torch.optim.Adam:
    """Builds Adam; sampling offsets learn at a rate of their own, as in Deformable DETR.

    Args:
        model: its parameters are optimised, except those that require no gradient.
        criterion: the parameters of its auxiliary heads are optimised, too.
        settings: learning rate, and the factor of sampling offsets.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, SlowParameters)]
    offsets = {id(parameter) for layer in layers for parameter in layer.slow_parameters()}
    slow: list[Tensor] = []
    normal: list[Tensor] = []
    for module in (model, criterion):
        for parameter in module.parameters():
            if parameter.requires_grad:
                (slow if id(parameter) in offsets else normal).append(parameter)
    # `factor` is our own key: Adam keeps it with the group, and `fit` multiplies the rate by it.
    groups = [{"params": normal, "factor": 1.0}]
    if slow:
        groups.append({"params": slow, "factor": settings.sampling_rate_factor})
    # fused=True updates all parameters in one pass, instead of one operation for each of them.
    return torch.optim.Adam(groups, lr=settings.learning_rate, fused=True)


def _step(job: Job, stacked: Any, step: int) -> Taken:
    """Computes the losses of one batch and adds their gradients to the parameters' gradients."""
    # Dropout draws from a seed of this step, so that a resumed run draws the same numbers.
    # On a CPU the generator is seeded itself: torch.manual_seed asks every kind of device there is.
    seeding = torch.default_generator if job.device.type == "cpu" else torch
    seeding.manual_seed(job.seed * 1_000_003 + step)
    terms = job.terms(job, stacked)
    # No bad gradient reaches the weights: `_refuse` ends the training after this cycle. Reading a
    # value waits until the device has finished the forward pass.
    finite = bool(torch.isfinite(torch.stack([*terms.values()])).all())
    if finite:
        # Divided by the cycle's length, the summed gradients are the mean over the cycle. So the
        # learning rate means the same at any accumulation. The call only queues the backward pass.
        (terms["total"] / job.settings.accumulation).backward()
    return Taken({name: value.detach() for name, value in terms.items()}, finite)


def _refuse(cycle: Cycle) -> None:
    """Raises TrainingError at the first loss that is not finite."""
    for step, taken in cycle.steps.items():
        for name, value in () if taken.finite else taken.terms.items():
            if not torch.isfinite(value):
                raise TrainingError(
                    f"loss '{name}' is {value.item()} at step {step}; lower "
                    "training.learning_rate or its weight in losses"
                )


def _saving(settings: Training) -> int:
    """Counts the steps between two states: whole cycles, because gradients are not saved."""
    return -(-settings.checkpoint_every // settings.accumulation) * settings.accumulation


def _restore(
    job: Job, optimizer: torch.optim.Adam, meter: Meter, state: StateFolder, ranks: Ranks
) -> tuple[int, float]:
    """Loads what `_snapshot` saved. Returns the step to start at and the seconds spent so far.

    Raises:
        RecordError: if the state has this training's key and yet is none of it.
    """
    saved = state.load() if ranks.rank == 0 else None
    if ranks.agreed(saved is not None) and ranks.rank:
        saved = state.peek()
    if saved is None:
        return 0, 0.0
    try:
        job.model.load_state_dict(saved["model"])
        job.criterion.load_state_dict(saved["criterion"])
        optimizer.load_state_dict(saved["optimizer"])
        meter.load_state_dict(saved["meter"])
        step, seconds = int(saved["step"]), float(saved["seconds"])
    except _MISFIT as error:
        raise RecordError(
            f"{state.file}: not a state of this training ({type(error).__name__}); move it away "
            "to train from the beginning"
        ) from error
    log.info("resuming at step %d", step)
    return step, seconds


def _snapshot(
    job: Job, optimizer: torch.optim.Adam, meter: Meter, step: int, seconds: float
) -> dict[str, Any]:
    """Gathers all that a training needs to continue at `step`."""
    return {
        "step": step,
        "seconds": seconds,
        "model": job.model.state_dict(),
        "criterion": job.criterion.state_dict(),
        "optimizer": optimizer.state_dict(),
        "meter": meter.state_dict(),
    }


def _shown(steps: range, ranks: Ranks) -> Iterator[int]:
    """Shows a progress bar on a terminal, and a line every half minute in a log."""
    live = sys.stderr.isatty()
    bar = tqdm(
        steps,
        initial=steps.start,
        total=steps.stop,
        unit="step",
        mininterval=1 if live else 30,
        maxinterval=10 if live else 60,
        ascii=not live,
        disable=ranks.rank > 0,
    )
    yield from bar
