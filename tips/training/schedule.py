"""The learning rate of every step, as a function of the step number alone.

Nothing here has a state, so a run that was killed continues exactly from its step number.
"""

import math

from tips.config import Training


def rate_factor(step: int, total: int, settings: Training) -> float:
    """Computes the factor on the learning rate: a linear warm-up, times the schedule.

    `step` multiplies by `decay` at each milestone; `cosine` falls from 1 to 0 along half a cosine
    after the warm-up.

    Args:
        step: the step, from 0.
        total: number of steps of the whole training.
        settings: schedule, warm-up, milestones and decay.
    """
    # Paper: "decayed linearly in 10th, 16th and 20th epochs by the factor of 0.1" of 25; here: a
    # step at the same shares of all steps, because a factor at epochs is a step schedule.
    warm = settings.warmup * total
    rise = min(1.0, (step + 1) / warm) if warm else 1.0
    if settings.schedule == "cosine":
        passed = max(0.0, step - warm) / (total - warm)
        return rise * (1 + math.cos(math.pi * passed)) / 2
    return rise * settings.decay ** sum(step >= share * total for share in settings.milestones)
