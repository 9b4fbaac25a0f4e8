"""Activation checkpointing: encoder layers are computed again in the backward pass, not held."""

from functools import partial

from torch import nn
from torch.utils.checkpoint import checkpoint

from tips.models.layers import Recomputable


def checkpoint_activations(model: nn.Module) -> int:
    """Makes every transformer layer of a model forget its activations until they are needed.

    Losses and gradients stay what they were, dropout included. Layers with batch norm are left
    alone: computed twice, their running statistics would move twice.

    Returns:
        The number of those layers.
    """
    layers = [layer for layer in model.modules() if isinstance(layer, Recomputable)]
    for layer in layers:
        again = partial(checkpoint, layer.forward, use_reentrant=False)
        layer.forward = again  # type: ignore[method-assign]
    return len(layers)
