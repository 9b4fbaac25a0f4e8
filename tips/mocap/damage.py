"""Draws which frames of a scene are degraded, by what and how severely."""

from typing import Literal, NamedTuple

import numpy as np

from tips.config.embedded import Embedded

Fault = Literal["none", "defocus", "shake", "exposure"]


class Damage(NamedTuple):
    """The degradation of one frame."""

    fault: Fault
    amount: float  # sd of a defocus, px; length of a shake, px; or factor of an exposure
    angle: float  # direction of a shake, rad
    noise: float  # sd of the noise, of 255


def draw_damage(settings: Embedded, frames: int, rng: np.random.Generator) -> tuple[Damage, ...]:
    """Draws the damage of every frame of a scene; a run of degraded frames has one fault."""
    bad = bad_frames(settings.degraded, settings.burst, frames, rng)
    result = []
    previous: Damage | None = None
    for frame in range(frames):
        if not bad[frame]:
            previous = None
            noise = float(rng.uniform(*settings.frame_noise))
            result.append(Damage("none", 0.0, 0.0, noise))
            continue
        if previous is None or settings.burst == 1:
            previous = _fault(settings, rng)
        result.append(previous)
    return tuple(result)


def _fault(settings: Embedded, rng: np.random.Generator) -> Damage:
    """Draws a fault and how severe it is: 0 would be a clean frame, 1 the whole damage."""
    kind = int(rng.integers(3))
    angle = float(rng.uniform(0, np.pi))
    severity = float(rng.uniform(*settings.severity))
    clean = float(rng.uniform(*settings.frame_noise))
    if kind == 0:
        return Damage("defocus", severity * float(rng.uniform(*settings.defocus)), angle, clean)
    if kind == 1:
        return Damage("shake", severity * float(rng.uniform(*settings.shake)), angle, clean)
    noise = clean + severity * max(float(rng.uniform(*settings.exposure_noise)) - clean, 0.0)
    return Damage("exposure", float(rng.uniform(*settings.exposure)) ** severity, angle, noise)


def bad_frames(
    share: float, burst: float, frames: int, rng: np.random.Generator
) -> tuple[bool, ...]:
    """Draws which frames are degraded, by a two-state Markov chain in its stationary distribution.

    Args:
        share: expected share of degraded frames.
        burst: mean length of a run of degraded frames; 1 draws frames independently.
        frames: number of frames.
        rng: source of randomness.

    Returns:
        One flag per frame.
    """
    if burst == 1 or share in (0.0, 1.0):
        return tuple(bool(bad) for bad in rng.random(frames) < share)
    leave = 1 / burst
    enter = min(leave * share / (1 - share), 1.0)
    state = bool(rng.random() < share)
    result = []
    for draw in rng.random(frames):
        result.append(state)
        state = bool(draw >= leave) if state else bool(draw < enter)
    return tuple(result)
