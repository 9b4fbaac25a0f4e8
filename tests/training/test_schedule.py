from pathlib import Path

import numpy as np
import pytest

from tips.config import Training, load_experiment
from tips.training.schedule import rate_factor


def training(**changed: object) -> Training:
    """The paper's settings with some changed."""
    found = load_experiment(Path("experiments/tips.yaml")).training
    return found.model_copy(update=changed)


def test_the_rate_falls_at_the_milestones() -> None:
    milestones = (0.40, 0.64, 0.80)  # epochs 10, 16 and 20 of 25
    settings = training(milestones=milestones, decay=0.1)
    factors = [rate_factor(step, 25, settings) for step in range(25)]
    assert factors[:10] == [1.0] * 10
    assert factors[10:16] == pytest.approx([0.1] * 6)
    assert factors[16:20] == pytest.approx([0.01] * 4)
    assert factors[20:] == pytest.approx([0.001] * 5)
    assert rate_factor(24, 25, training(milestones=())) == 1.0


def test_a_warm_up_rises_linearly_to_the_whole_rate() -> None:
    settings = training(warmup=0.2, milestones=(0.5,), decay=0.1)
    factors = [rate_factor(step, 20, settings) for step in range(20)]
    assert factors[:5] == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0])
    assert factors[10:] == pytest.approx([0.1] * 10)


def test_a_cosine_falls_to_nothing_and_never_rises() -> None:
    settings = training(warmup=0.1, schedule="cosine")
    factors = np.array([rate_factor(step, 1000, settings) for step in range(1000)])
    assert factors[99:101] == pytest.approx([1.0, 1.0])
    assert factors[550] == pytest.approx(0.5)
    assert (np.diff(factors[99:]) <= 0).all()
    assert 0 <= factors[-1] < 1e-4
