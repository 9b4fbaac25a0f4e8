"""What a training step of a network holds, followed on the meta device (`tips plan`)."""

from itertools import chain

from torch import nn

from tips.config import Experiment
from tips.models.cost import peak_bytes
from tips.reporting.memory import Footprint
from tips.stages.cost import Subject, subject, training_step
from tips.training.memory import checkpoint_activations


def footprint(variant: str, experiment: Experiment) -> Footprint:
    """Follows steps of one and of two windows, plain and with activation checkpointing."""
    one, two = (subject(experiment, "meta", batch) for batch in (1, 2))
    base, window = _line(one, two)
    for counted in (one, two):
        counted.model.zero_grad()
        checkpoint_activations(counted.model)
    base_checkpointed, window_checkpointed = _line(one, two)
    criterion, _ = training_step(one)
    trained = [p for p in chain(one.model.parameters(), criterion.parameters()) if p.requires_grad]
    backbone = any(p.requires_grad for p in one.model.backbone.parameters())
    settings = experiment.training
    return Footprint(
        variant=variant,
        weights=_bytes(one.model) + _bytes(criterion),
        trained=sum(p.numel() * p.element_size() for p in trained),
        base=base,
        window=window,
        base_checkpointed=base_checkpointed,
        window_checkpointed=window_checkpointed,
        backbone_trained=backbone,
        batch=settings.batch,
        accumulation=settings.accumulation,
    )


def _line(one: Subject, two: Subject) -> tuple[int, int]:
    """Peak bytes as a line over the batch: what is always held, and what each window adds."""
    first, second = (peak_bytes(training_step(counted)[1]) for counted in (one, two))
    window = second - first
    return max(0, first - window), window


def _bytes(module: nn.Module) -> int:
    held = chain(module.parameters(), module.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in held)
