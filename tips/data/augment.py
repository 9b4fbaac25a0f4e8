"""One random affine per window: rotation, scale and flip, as the HRNet family draws them."""

from typing import NamedTuple

import numpy as np

from tips.config import Augmentation


class Draw(NamedTuple):
    """The augmentation of one window."""

    rotation: float  # degrees, clockwise
    scale: float  # factor on the box
    flip: bool  # whether the crop is mirrored left to right


NONE = Draw(0.0, 1.0, False)


def draw_sample(settings: Augmentation, seed: int, epoch: int, sample: int) -> Draw:
    """Draws the augmentation of one sample of a training, which depends on nothing else."""
    return draw(settings, np.random.default_rng((seed, epoch, sample)))


def draw(settings: Augmentation, rng: np.random.Generator) -> Draw:
    """Draws the augmentation of one window."""
    # Paper: "random rotating [-45, 45]"; here: a normal of sd 45 degrees clipped at two sd with
    # probability 0.6, because that is what the code of the cited augmentation does.
    turned = rng.random() < settings.rotation_probability
    angle = float(np.clip(rng.normal() * settings.rotation, *_span(2 * settings.rotation)))
    scale = float(
        np.clip(1 + rng.normal() * settings.scale, 1 - settings.scale, 1 + settings.scale)
    )
    flip = bool(rng.random() < settings.flip_probability)
    return Draw(angle if turned else 0.0, scale, flip)


def _span(value: float) -> tuple[float, float]:
    return -value, value
