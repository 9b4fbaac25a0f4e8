"""What `tips plan` says of memory is what a step of several windows holds."""

from pathlib import Path

import pytest
import torch

from tips.config import Experiment, load_experiment, load_scale
from tips.models.cost import peak_bytes
from tips.ops import native
from tips.planning.footprint import footprint
from tips.planning.subject import subject, training_step

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SMOKE = load_scale("smoke", EXPERIMENTS)
FILES = {"tips": "tips.yaml", "hrnet": "baselines/hrnet.yaml"}


def small(name: str) -> Experiment:
    return load_experiment(EXPERIMENTS / FILES[name], SMOKE)


@pytest.mark.parametrize("name", FILES)
def test_a_line_over_the_batch(name: str) -> None:
    """Other batches lie on the line, within a few buffers."""
    experiment = small(name)
    found = footprint(name, experiment)
    _, step = training_step(subject(experiment, "meta", batch=32))
    assert found.base + 32 * found.window == pytest.approx(peak_bytes(step), rel=0.05)
    if name == "tips":
        assert 0 < found.window_checkpointed < found.window
    assert found.backbone_trained is (name == "hrnet")
    if found.backbone_trained:
        assert found.trained > 0.9 * found.weights
    else:
        assert found.trained < found.weights


@pytest.mark.parametrize("name", FILES)
def test_a_true_step_holds_what_the_meta_device_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same ops on the CPU, in pure torch: sizes agree but for what kernels keep."""
    monkeypatch.setattr(native, "served", frozenset)
    experiment = small(name)
    peaks = []
    for device in ("meta", "cpu"):
        torch.manual_seed(0)
        counted = subject(experiment, device, batch=2)
        _, step = training_step(counted)
        peaks.append(peak_bytes(step))
    assert peaks[0] == pytest.approx(peaks[1], rel=0.02)
