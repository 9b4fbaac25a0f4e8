"""Measures what a training step of a network holds, on the meta device (`tips plan`)."""

from itertools import chain

from torch import nn

from tips.config import Experiment
from tips.models.cost import peak_bytes
from tips.planning.card_memory import Footprint
from tips.planning.subject import Subject, subject, training_step
from tips.training.memory import checkpoint_activations

# With smaller batches the peak may come late in the backward pass, when gradients are held and
# activations are freed. Then it would not grow with the batch.
BATCHES = (8, 16)


def footprint(variant: str, experiment: Experiment) -> Footprint:
    """Measures steps of two batches, with and without activation checkpointing."""
    few, many = (subject(experiment, "meta", batch) for batch in BATCHES)
    base, window = _line(few, many)
    for counted in (few, many):
        counted.model.zero_grad()
        checkpoint_activations(counted.model)
    base_checkpointed, window_checkpointed = _line(few, many)
    criterion, _ = training_step(few)
    trained = [p for p in chain(few.model.parameters(), criterion.parameters()) if p.requires_grad]
    backbone = any(p.requires_grad for p in few.model.backbone.parameters())
    settings = experiment.training
    return Footprint(
        variant=variant,
        weights=_bytes(few.model) + _bytes(criterion),
        trained=sum(p.numel() * p.element_size() for p in trained),
        base=base,
        window=window,
        base_checkpointed=base_checkpointed,
        window_checkpointed=window_checkpointed,
        backbone_trained=backbone,
        batch=settings.batch,
        accumulation=settings.accumulation,
    )


def _line(few: Subject, many: Subject) -> tuple[int, int]:
    """Fits a line to the peak bytes of two batches: those at batch 0, and those per window."""
    least, most = (peak_bytes(training_step(counted)[1]) for counted in (few, many))
    window = (most - least) // (BATCHES[1] - BATCHES[0])
    return max(0, least - BATCHES[0] * window), window


def _bytes(module: nn.Module) -> int:
    held = chain(module.parameters(), module.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in held)
