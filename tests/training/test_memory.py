"""Activation checkpointing, and one true step at the paper's size."""

import copy
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tips import skeleton
from tips.build import build_criterion, build_model
from tips.config import Experiment, load_experiment, load_scale
from tips.criterion import Criterion, forward_pass
from tips.models.cost import peak_bytes
from tips.models.interfaces import PoseModel
from tips.tensors import Target, Window
from tips.training.loop import build_optimizer
from tips.training.memory import checkpoint_activations

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
CLEAR, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def built(experiment: Experiment) -> tuple[PoseModel, Criterion]:
    torch.manual_seed(0)
    model = build_model(experiment, experiment.groups()).train()
    return model, build_criterion(experiment, model)


def terms(e: Experiment, model: PoseModel, criterion: Criterion) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(0)
    height, width = e.crop.height, e.crop.width
    frames, joints = len(e.window), skeleton.COUNT
    images = torch.randn(1, frames, 3, height, width, generator=draw)
    rough = torch.randn(1, frames - 1, 3, height, width, generator=draw)
    target = Target(
        maps=torch.rand(1, joints, height // 4, width // 4, generator=draw),
        joints=torch.rand(1, joints, 2, generator=draw) * (width // 4 - 1),
        weights=torch.ones(1, joints),
        padded=torch.zeros(1, frames - 1, dtype=torch.bool),
    )
    found: dict[str, Tensor] = criterion(forward_pass(model, Window(images, rough), target))
    return found


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in model.named_parameters() if p.grad is not None}


def test_checkpointing_changes_memory_alone() -> None:
    experiment = load_experiment(EXPERIMENTS / "tips.yaml", load_scale("smoke", EXPERIMENTS))
    encoder = experiment.head.encoder.model_copy(update={"dropout": 0.3})
    head = experiment.head.model_copy(update={"encoder": encoder})
    experiment = experiment.model_copy(update={"head": head})
    plain, criterion = built(experiment)
    lean, lean_criterion = copy.deepcopy(plain), copy.deepcopy(criterion)
    checkpoint_activations(lean)
    peaks = []
    for model, losses in ((plain, criterion), (lean, lean_criterion)):
        torch.manual_seed(5)  # dropout

        def step(model: PoseModel = model, losses: Criterion = losses) -> None:
            terms(experiment, model, losses)["total"].backward()

        peaks.append(peak_bytes(step))
    assert peaks[1] < peaks[0]
    expected = gradients(plain)
    assert expected
    assert all(torch.equal(found, expected[name]) for name, found in gradients(lean).items())
    assert lean.state_dict().keys() == plain.state_dict().keys()
    for name, value in plain.state_dict().items():
        assert torch.equal(lean.state_dict()[name], value), name


def peak_gib() -> float:
    """The most memory that this process has held since CLEAR was written to."""
    (line,) = [one for one in STATUS.read_text().splitlines() if one.startswith("VmHWM")]
    return int(line.split()[1]) / 2**20


@pytest.mark.full
def test_one_step_of_the_full_model_at_the_paper_size(
    record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    experiment = load_experiment(EXPERIMENTS / "tips.yaml")
    assert (experiment.crop.height, experiment.crop.width) == (384, 288)
    CLEAR.write_text("5")  # the highest memory so far was another test's
    model, criterion = built(experiment)
    checkpoint_activations(model)
    optimizer = build_optimizer(model, criterion, experiment.training)
    before = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    found = terms(experiment, model, criterion)
    found["total"].backward()
    optimizer.step()
    expected = {"heatmap", "trajectory", "anchor", "variety", "complement", "redundancy", "total"}
    assert set(found) == expected
    assert all(torch.isfinite(value) for value in found.values())
    after = dict(model.named_parameters())
    assert all(torch.isfinite(after[name]).all() for name in before)
    moved = [name for name in before if not torch.equal(after[name], before[name])]
    assert len(moved) > len(before) // 2
    peak = peak_gib()
    record_property("peak_gib", peak)
    with capsys.disabled():
        print(f"\none step of the full model at 384x288: {peak:.2f} GiB at the most")
