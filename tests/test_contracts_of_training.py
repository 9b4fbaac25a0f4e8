"""What the losses and gradients of every file of experiments/ promise, at smoke scale."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import timm.models.vision_transformer as timm_vit
import torch
from every import awake, built, each, each_that_learns, tensors, total
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from tips.build import build_criterion, build_model
from tips.config import Experiment
from tips.criterion import Criterion, forward_pass
from tips.models.interfaces import PoseModel
from tips.models.tips.settings import Settings as TipsSettings
from tips.tensors import Target, Window

CPU = torch.device("cpu")


@each
def test_the_terms_and_weights_are_the_experiment_s(file: Path) -> None:
    experiment, model, _, _ = built(file)
    criterion = build_criterion(experiment, model)
    assert criterion.weights == experiment.weights
    assert set(criterion.losses) == set(experiment.weights)
    assert all(weight > 0 for weight in experiment.weights.values())


def unreached(experiment: Experiment) -> tuple[str, ...]:
    """Parameters that no loss of a variant trains, each for a reason."""
    if not isinstance(experiment, TipsSettings):
        return ()
    names = []
    if experiment.synthesis is not None and "trajectory" not in experiment.weights:
        names.append("coordinate_heads.synthesized.")  # C_syn serves S_w alone
    if experiment.synthesis is not None and "anchor" not in experiment.weights:
        names.append("coordinate_heads.real")  # C_real serves 2 ||R^ - R|| alone
    if experiment.losses.estimator == "fami_released":
        names.append("losses.complement.h_z.")  # the released call detaches what h_z reads
    return tuple(names)


@cache
def stepped(file: Path) -> tuple[PoseModel, Criterion, dict[str, Tensor]]:
    """After one backward pass in training mode: model, criterion, the backbone's state before."""
    model, criterion = awake(file)
    before = copy.deepcopy(model.backbone.state_dict())
    total(file, model.train(), criterion, built(file).target).backward()
    return model, criterion, before


@each_that_learns
def test_gradient_reaches_every_trainable_parameter(file: Path) -> None:
    model, criterion, _ = stepped(file)
    named = [*model.named_parameters(), *criterion.named_parameters()]
    trainable = {name: p for name, p in named if p.requires_grad}
    missed = {name for name, p in trainable.items() if p.grad is None or not p.grad.any()}
    explained = {name for name in trainable if name.startswith(unreached(built(file).experiment))}
    assert missed == explained
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in trainable.values())


@each_that_learns
def test_the_backbone_of_stage_two_is_frozen(file: Path) -> None:
    model, _, before = stepped(file)
    frozen = not built(file).experiment.first_stage
    assert all(module.training != frozen for module in model.backbone.modules())
    assert all(p.requires_grad != frozen for p in model.backbone.parameters())
    moved = [k for k, v in model.backbone.state_dict().items() if not torch.equal(v, before[k])]
    if frozen:
        assert not moved
        assert all(p.grad is None for p in model.backbone.parameters())
        inside = set(model.backbone.modules())
        assert all(module.training for module in model.modules() if module not in inside)


@each_that_learns
def test_a_batch_without_any_label_is_harmless(file: Path) -> None:
    model, criterion = awake(file)
    target = built(file).target
    nothing = target._replace(
        maps=torch.zeros_like(target.maps),
        joints=torch.full_like(target.joints, torch.nan),
        weights=torch.zeros_like(target.weights),
    )
    total(file, model.train(), criterion, nothing).backward()
    grads = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.isfinite(grad).all() for grad in grads)


def fake(part: Any) -> Any:
    """A window or target of the same shapes, on the default device."""
    return type(part)(*(torch.empty(one.shape, dtype=one.dtype) for one in part))


@each_that_learns
def test_forward_and_losses_stay_on_a_gpu(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On fake CUDA tensors, which need no GPU, what is made on the CPU raises as on a real one.

    Backward passes and autocast do not exist there.
    """
    # timm reads its drop rates, all zero, out of a tensor; a fake one has no numbers.
    monkeypatch.setattr(timm_vit, "calculate_drop_path_rates", lambda rate, depth: [rate] * depth)
    experiment, known, window, target = built(file)
    with FakeTensorMode():
        with torch.device("cuda"):
            model = build_model(experiment, known.groups).train()
            criterion = build_criterion(experiment, model)
            window, target = fake(window), fake(target)
        one = forward_pass(model, window, target)
        found = criterion(one)
        said = tensors((one.output, one.coordinates, tuple(found.values())))
        assert {tensor.device.type for tensor in said.values()} == {"cuda"}
        assert set(found) == {"total", *experiment.weights}


@pytest.mark.gpu
@each_that_learns
def test_a_step_on_a_card_is_the_cpu_s(file: Path, card: torch.device) -> None:
    """Losses and gradients with their numbers, which fake tensors do not have."""
    model, criterion = awake(file)
    expected_terms, gradient = step_of(file, model, criterion, CPU)
    model, criterion = awake(file)
    found_terms, found = step_of(file, model, criterion, card)
    assert found_terms == pytest.approx(expected_terms, rel=1e-3, abs=1e-5)
    assert float((found - gradient).norm()) < 1e-2 * float(gradient.norm())


def step_of(
    file: Path, model: PoseModel, criterion: Criterion, device: torch.device
) -> tuple[dict[str, float], Tensor]:
    """Every loss, and the gradient of all parameters as one vector."""
    model, criterion = model.to(device).train(), criterion.to(device)
    window = Window(*(tensor.to(device) for tensor in built(file).window))
    target = Target(*(tensor.to(device) for tensor in built(file).target))
    found: dict[str, Tensor] = criterion(forward_pass(model, window, target))
    found["total"].backward()
    grads = [p.grad for p in (*model.parameters(), *criterion.parameters()) if p.grad is not None]
    return {name: value.item() for name, value in found.items()}, torch.cat(
        [grad.detach().double().flatten().cpu() for grad in grads]
    )
