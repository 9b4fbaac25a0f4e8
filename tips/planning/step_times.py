"""Times training steps on this machine, with random windows (`tips plan --measure`)."""

import gc
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple

import torch

from tips.config import ConfigError, Experiment, Study
from tips.device import choose_device, set_up_training, use_bfloat16
from tips.ops.compile import prepare_kernels
from tips.planning.card_memory import GIB
from tips.planning.hours import StepTime
from tips.planning.subject import Subject, subject, training_step
from tips.progress import track
from tips.tables.paper_size import network
from tips.training.loop import build_optimizer
from tips.training.memory import checkpoint_activations


class Step(NamedTuple):
    """One training step, with its share of the optimiser's step."""

    seconds: float
    gib: float | None  # the most memory that tensors held on a card


def measured_steps(study: Study, repeats: int = 3) -> tuple[dict[str, StepTime], list[str]]:
    """Times the step of every network of a study, as a training on this machine would take it.

    Reading and cropping frames is left out: workers do it meanwhile, if they are fast enough.

    Returns:
        Times by variant, and the variants whose batch does not fit the card.

    Raises:
        ConfigError: a variant cannot be built; the message names it.
    """
    set_up_training(threads=1)  # as the rule `train` does
    device = choose_device("auto")
    prepare_kernels(device)
    cuda = device.type == "cuda"
    machine = torch.cuda.get_device_name(device) if cuda else platform.machine()
    known: dict[str, Step | None] = {}
    times: dict[str, StepTime] = {}
    misfits: list[str] = []
    learning = {name: v for name, v in study.variants.items() if v.experiment.learns}
    for name, variant in track(learning.items(), "steps", len(learning)):
        experiment = variant.experiment.with_any_groups()
        settings = experiment.training
        kind = (
            f"{network(experiment)} {(settings.batch, settings.accumulation, settings.precision)}"
        )
        if kind not in known:
            known[kind] = _fitting(name, experiment, device, study.scale.checkpointing, repeats)
        step = known[kind]
        if step is None:
            misfits.append(name)
        else:
            held = "" if step.gib is None else f", {step.gib:.1f} GiB"
            source = f"measured, {machine}, batch {settings.batch}{held}"
            times[name] = StepTime(step.seconds, source)
    return times, misfits


def _fitting(
    name: str, experiment: Experiment, device: torch.device, checkpointing: bool, repeats: int
) -> Step | None:
    """Measures a step; gives None if the card cannot hold it."""
    gc.collect()  # frees layers with activation checkpointing, which refer to themselves
    try:
        return measure(experiment, device, checkpointing, repeats)
    except torch.OutOfMemoryError:
        return None
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from error


def measure(
    experiment: Experiment, device: torch.device, checkpointing: bool, repeats: int
) -> Step:
    """Measures a training step, as a median over some cycles after one of warm-up.

    A cycle is as many steps as the gradient is accumulated over, and one step of the optimiser.

    Args:
        experiment: the configuration of the training.
        device: the device to train on.
        checkpointing: whether activations are checkpointed.
        repeats: the number of timed cycles.
    """
    autocast = use_bfloat16(experiment.training.precision, device)
    counted = subject(experiment, device.type, experiment.training.batch, autocast)
    if checkpointing:
        checkpoint_activations(counted.model)
    cycle = _cycle(counted)
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    seconds = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        cycle()
        if cuda:
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - began)
    held = torch.cuda.max_memory_allocated(device) / GIB if cuda else None
    return Step(median(seconds[1:]) / experiment.training.accumulation, held)


def _cycle(counted: Subject) -> Callable[[], None]:
    """Prepares the steps that a gradient is accumulated over, and the optimiser's step."""
    criterion, step = training_step(counted)
    settings = counted.experiment.training
    optimizer = build_optimizer(counted.model, criterion, settings)

    def cycle() -> None:
        for _ in range(settings.accumulation):
            step()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return cycle
