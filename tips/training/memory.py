"""Activation checkpointing: activations are recomputed in the backward pass instead of kept."""

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from tips.models.layers import Recomputable


def checkpoint_activations(model: nn.Module) -> int:
    """Makes every `Recomputable` layer of a model drop its activations until they are needed.

    Losses and gradients stay the same, dropout included. Layers with batch norm are not changed:
    computed twice, they would update their running statistics twice.

    Returns:
        The number of changed layers.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, Recomputable)]
    for layer in layers:
        again = partial(checkpoint, layer.forward, use_reentrant=False)
        layer.forward = again  # type: ignore[method-assign]
    return len(layers)
