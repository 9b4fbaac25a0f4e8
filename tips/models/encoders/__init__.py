"""Encoders, all with the signature (B, D, H, W) -> (B, D, H, W); each folder is one kind."""

from typing import Any

from tips import kinds
from tips.config.experiment import Encoder


def build_encoder(encoder: Encoder, width: int) -> Any:
    """Builds the encoder that the settings describe, for maps of `width` channels."""
    return kinds.load(kinds.ENCODER, encoder.kind, "network").build(encoder, width)
