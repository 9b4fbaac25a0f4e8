"""What every file of experiments/ promises, at smoke scale: 64 x 64 crops, a batch of two."""

import copy
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin

import numpy as np
import pytest
import timm.models.vision_transformer as timm_vit
import torch
from jaxtyping import jaxtyped
from pydantic import BaseModel
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from tips import skeleton
from tips.build import build_criterion, build_groups, build_model
from tips.config import Experiment, load_experiment, load_scale
from tips.data.windows import positions
from tips.models.baselines.dcpose import DCPose
from tips.models.baselines.posewarper import SHARES, PoseWarper
from tips.models.interfaces import PoseModel
from tips.ops.heatmap import encode
from tips.tensors import Coordinates, PoseOutput, Target, Window
from tips.training.criterion import Criterion

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
ABOVE = sorted(path for path in EXPERIMENTS.glob("*/*.yaml") if path.parent.name != "scales")
FILES = [EXPERIMENTS / "tips.yaml", *ABOVE]
BATCH, CROP, MAP, JOINTS = 2, 64, 16, skeleton.COUNT
CPU = torch.device("cpu")
FIELDS = ("maps", "F", "F_interim", "z", "z_i", "z_tilde", "joints", "spread")
SIZING = ("width", "blocks", "fusion", "head", "losses")  # what builders make a model of
each = pytest.mark.parametrize("file", FILES, ids=lambda path: path.stem)


class Built(NamedTuple):
    experiment: Experiment
    groups: tuple[tuple[int, ...], ...]
    model: PoseModel  # fresh
    window: Window
    target: Target


@cache
def built(file: Path) -> Built:
    experiment = load_experiment(file, load_scale("smoke", EXPERIMENTS))
    groups: tuple[tuple[int, ...], ...] = ()
    if experiment.distillation is not None:
        settings = experiment.distillation.groups
        # Data-driven groups come from a file that a rule writes; any partition does here.
        known = tuple(skeleton.GROUPS[settings.count].values())
        groups = known if settings.source == "spectral" else build_groups(settings)
    torch.manual_seed(0)
    model = build_model(experiment, groups)
    return Built(experiment, groups, model, *data(experiment))


def data(experiment: Experiment) -> tuple[Window, Target]:
    draw = torch.Generator().manual_seed(0)
    frames = len(experiment.window)
    intervals = frames - 1 if experiment.rough_frames else 0
    images = torch.randn(BATCH, frames, 3, CROP, CROP, generator=draw)
    rough = torch.randn(BATCH, intervals, 3, CROP, CROP, generator=draw)
    joints = (MAP - 1) * torch.rand(BATCH, JOINTS, 2, generator=draw)
    weights = torch.ones(BATCH, JOINTS)
    weights[0, 3] = 0
    maps = np.stack(
        [encode(j, w, MAP, MAP) for j, w in zip(*map(_numpy, (joints, weights)), strict=True)]
    )
    padded = torch.zeros(BATCH, frames - 1, dtype=torch.bool)
    return Window(images, rough), Target(torch.from_numpy(maps), joints, weights, padded)


def _numpy(tensor: Tensor) -> Any:
    return tensor.numpy()


@cache
def answer(file: Path) -> tuple[PoseOutput, Coordinates]:
    """What the fresh model says in evaluation mode."""
    model, window = built(file).model.eval(), built(file).window
    with torch.inference_mode():
        output = model(*window)
        return output, model.coordinates(output)


def awake(file: Path) -> tuple[PoseModel, Criterion]:
    """A trained-looking copy: layers that start at zero would hide what lies behind them."""
    case = built(file)
    model = copy.deepcopy(case.model)
    torch.manual_seed(1)
    criterion = build_criterion(case.experiment, model, case.groups)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return model, criterion


@cache
def settled(file: Path) -> PoseModel:
    """An awake copy whose batch norms know the window, in evaluation mode.

    Without them the moved weights could blow offsets up, and a sample off the map shows nothing.
    """
    model, _ = awake(file)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean of all batches; there is one
    with torch.no_grad():
        model.coordinates(model.train()(*built(file).window))
    return model.eval()


def total(file: Path, model: PoseModel, criterion: Criterion, target: Target) -> Tensor:
    output = model(*built(file).window)
    terms: dict[str, Tensor] = criterion(output, model.coordinates(output), target)
    assert all(torch.isfinite(value) for value in terms.values()), terms
    return terms["total"]


def check_fields(*records: Any) -> None:
    """Compares named tuples with their annotations, one binding of the axes for all of them."""
    fields = [
        (name, kind, getattr(record, name))
        for record in records
        for name, kind in type(record).__annotations__.items()
    ]
    with jaxtyped("context"):
        for name, kind, value in fields:
            if get_origin(kind) is not tuple:
                assert isinstance(value, kind), f"{name}: {tuple(value.shape)} is not {kind}"
    for name, kind, value in fields:
        for part in value if get_origin(kind) is tuple else ():
            with jaxtyped("context"):  # groups differ in size
                assert isinstance(part, get_args(kind)[0]), f"{name}: {tuple(part.shape)}"


@each
def test_output_has_the_shapes_that_tensors_annotates(file: Path) -> None:
    experiment, groups, model, window, target = built(file)
    output, coordinates = answer(file)
    check_fields(window, target, output, coordinates)
    frames, width = len(experiment.window), experiment.width
    points = len(experiment.synthesis.points) if experiment.synthesis else 0
    assert output.maps.shape == (BATCH, JOINTS, MAP, MAP)
    assert [maps.shape[1] for maps in output.group_maps] == [len(group) for group in groups]
    assert output.F.shape == (BATCH, frames, model.backbone.channels, MAP, MAP)
    assert output.F_interim.shape[1] == points * (frames - 1)
    assert output.z_i.shape[1] == len(groups)
    assert output.z_tilde.shape == output.z.shape
    assert output.z.shape[1] == (
        model.backbone.channels if experiment.model in ("single_frame", "dsta") else width
    )
    assert output.joints.shape[1] == (JOINTS if experiment.model == "dsta" else 0)
    assert coordinates.R.shape == (BATCH, frames, JOINTS, 2)
    assert coordinates.R_interim.shape[1:3] == (points, frames - 1 if points else 0)
    assert all(torch.isfinite(tensor).all() for tensor in (*coordinates, output.maps, output.z))


@each
def test_evaluation_is_deterministic_and_samples_do_not_meet(file: Path) -> None:
    model, window = settled(file), built(file).window
    with torch.inference_mode():
        output, again = model(*window), model(*window)
        alone = [model(*(tensor[i : i + 1] for tensor in window)) for i in range(BATCH)]
    for name in FIELDS:
        together = getattr(output, name)
        assert torch.equal(getattr(again, name), together), name
        apart = torch.cat([getattr(one, name) for one in alone])
        assert close(apart, together), name


def close(found: Tensor, expected: Tensor) -> bool:
    """Equal but for rounding, which grows with the largest number."""
    largest = torch.cat([expected.abs().flatten(), torch.ones(1)]).max()
    return torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(largest))


def predicted(output: PoseOutput) -> Tensor:
    """What a model answers with: regressed joints, else maps."""
    return output.joints if output.joints.numel() else output.maps


@each
def test_every_frame_of_the_window_changes_the_answer(file: Path) -> None:
    """A single-frame model's window is frame t alone: it has no neighbour to look at."""
    experiment, _, _, window, _ = built(file)
    model = settled(file)
    other = torch.randn(window.images.shape, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        base = predicted(model(*window))
        for frame, offset in enumerate(experiment.window):
            images = window.images.clone()
            images[:, frame] = other[:, frame]
            moved = predicted(model(images, window.rough)) != base
            assert moved.flatten(1).any(dim=1).all(), f"frame t{offset:+d}"


@each
@pytest.mark.parametrize("end", ["first", "last", "only"])
def test_a_window_at_a_clip_s_end_is_answered(file: Path, end: str) -> None:
    window = at_an_end(file, end)
    model, (usual, _) = settled(file), answer(file)
    with torch.inference_mode():
        output = model(*window)
        coordinates = model.coordinates(output)
    check_fields(window, output, coordinates)
    for name in FIELDS:
        assert getattr(output, name).shape == getattr(usual, name).shape, name
        assert torch.isfinite(getattr(output, name)).all(), name
    assert all(torch.isfinite(tensor).all() for tensor in coordinates)


def at_an_end(file: Path, end: str) -> Window:
    """Repeats frames and fills padded intervals as the data does."""
    experiment, _, _, (images, rough), _ = built(file)
    count = len(experiment.window)
    frame, length = {"first": (0, count), "last": (count - 1, count), "only": (0, 1)}[end]
    frames = positions(frame, length, experiment.window)
    between = rough.clone()
    for i, (left, right) in enumerate(pairwise(frames) if len(rough[0]) else ()):
        if left == right:
            between[:, i] = images[:, left]
    return Window(images[:, frames], between)


@each
def test_fresh_maps_start_where_the_configuration_says(file: Path) -> None:
    experiment, groups, model, _, _ = built(file)
    output, _ = answer(file)
    with torch.inference_mode():
        start = model.backbone.maps(output.F[:, experiment.t])
    if experiment.head.start == "scratch" and experiment.model != "single_frame":
        start = torch.zeros_like(start)
    if isinstance(model, PoseWarper):  # whose answer is a weighted mean over the window
        maps = model.backbone.maps(output.F.flatten(0, 1)).unflatten(0, output.F.shape[:2])
        start = torch.einsum("t,btjhw->bjhw", torch.tensor(SHARES), maps)
    if isinstance(model, DCPose | PoseWarper):  # an identity by interpolation
        assert torch.allclose(output.maps, start, atol=1e-6)
    else:
        assert torch.equal(output.maps, start)
    for group, maps in zip(groups, output.group_maps, strict=True):
        assert torch.equal(maps, start[:, list(group)])


@each
def test_interim_frames_matter_exactly_with_synthesis(file: Path) -> None:
    experiment, _, model, window, _ = built(file)
    # Both have the same shape: a batch of another size may be summed in another order.
    one, other = torch.randn(2, BATCH, len(experiment.window) - 1, 3, CROP, CROP)
    with torch.inference_mode():
        seen, changed = (model.eval()(window.images, rough).z_tilde for rough in (one, other))
    assert torch.equal(seen, changed) == (not experiment.rough_frames)


@each
def test_terms_of_weight_zero_are_not_built(file: Path) -> None:
    experiment, groups, model, _, _ = built(file)
    w = experiment.losses
    expected = {"likelihood" if experiment.model == "dsta" else "heatmap": w.heatmap}
    if experiment.synthesis is not None:
        expected |= {"trajectory": w.synthesis * w.trajectory, "anchor": w.synthesis * w.anchor}
    names: tuple[str, ...] = ()
    if experiment.distillation is not None:
        names = ("variety", "complement", "redundancy")
    if experiment.model == "fami_pose":
        names = ("complement", "redundancy")
    expected |= {name: w.information * getattr(w, name) for name in names}
    if experiment.model == "tdmi":
        expected |= {"disentangle": w.information * w.variety}
    criterion = build_criterion(experiment, model, groups)
    assert criterion.weights == {name: weight for name, weight in expected.items() if weight}


class Watched:
    """A configuration that notes the dotted name of every key that is read."""

    def __init__(self, part: BaseModel, read: set[str], path: str = "") -> None:
        self._part, self._read, self._path = part, read, path

    def __getattr__(self, name: str) -> Any:
        key = f"{self._path}{name}"
        self._read.add(key)
        value = getattr(self._part, name)
        return Watched(value, self._read, f"{key}.") if isinstance(value, BaseModel) else value


def leaves(part: BaseModel, path: str = "") -> Iterator[str]:
    """Dotted names of all keys that hold a value."""
    for name in type(part).model_fields:
        value = getattr(part, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


@each
def test_keys_that_no_builder_reads_retrain_nothing(file: Path) -> None:
    experiment, groups, _, _, _ = built(file)
    read: set[str] = set()
    watched: Any = Watched(experiment, read)
    with torch.device("meta"):
        build_criterion(watched, build_model(watched, groups), groups)
    keys = [key for key in leaves(experiment) if key.startswith(SIZING)]
    listed = {key for key in keys if key.startswith(experiment.unread)}
    assert not listed & read
    # TIPS's depend on what is null, stage one's losses are left: a key too many only retrains.
    assert experiment.model in ("tips", "single_frame") or listed | read >= set(keys)


def unreached(experiment: Experiment) -> tuple[str, ...]:
    """Parameters that no loss of a variant trains, each for a reason."""
    w = experiment.losses
    names = []
    if experiment.synthesis is not None and not w.synthesis * w.trajectory:
        names.append("coordinate_heads.synthesized.")  # C_syn serves S_w alone
    if experiment.synthesis is not None and not w.synthesis * w.anchor:
        names.append("coordinate_heads.real")  # C_real serves 2 ||R^ - R|| alone
    if w.estimator == "fami_released":
        names.append("losses.complement.h_z.")  # the released call detaches what h_z reads
    return tuple(names)


@cache
def stepped(file: Path) -> tuple[PoseModel, Criterion, dict[str, Tensor]]:
    """After one backward pass in training mode: model, criterion, the backbone's state before."""
    model, criterion = awake(file)
    before = copy.deepcopy(model.backbone.state_dict())
    total(file, model.train(), criterion, built(file).target).backward()
    return model, criterion, before


@each
def test_gradient_reaches_every_trainable_parameter(file: Path) -> None:
    model, criterion, _ = stepped(file)
    named = [*model.named_parameters(), *criterion.named_parameters()]
    trainable = {name: p for name, p in named if p.requires_grad}
    missed = {name for name, p in trainable.items() if p.grad is None or not p.grad.any()}
    explained = {name for name in trainable if name.startswith(unreached(built(file).experiment))}
    assert missed == explained
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in trainable.values())


@each
def test_the_backbone_of_stage_two_is_frozen(file: Path) -> None:
    model, _, before = stepped(file)
    frozen = built(file).experiment.model != "single_frame"
    assert all(module.training != frozen for module in model.backbone.modules())
    assert all(p.requires_grad != frozen for p in model.backbone.parameters())
    moved = [k for k, v in model.backbone.state_dict().items() if not torch.equal(v, before[k])]
    assert bool(moved) != frozen
    if frozen:
        assert all(p.grad is None for p in model.backbone.parameters())
        assert any(m.training for m in model.modules() if isinstance(m, nn.BatchNorm2d))


@each
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


@each
def test_forward_and_losses_stay_on_a_gpu(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On fake CUDA tensors, which need no GPU, what is made on the CPU raises as on a real one.

    Backward passes and autocast do not exist there.
    """
    # timm reads its drop rates, all zero, out of a tensor; a fake one has no numbers.
    monkeypatch.setattr(timm_vit, "calculate_drop_path_rates", lambda rate, depth: [rate] * depth)
    experiment, groups, _, window, target = built(file)
    with FakeTensorMode():
        with torch.device("cuda"):
            model = build_model(experiment, groups).train()
            criterion = build_criterion(experiment, model, groups)
            window, target = fake(window), fake(target)
        output = model(*window)
        coordinates = model.coordinates(output)
        terms = criterion(output, coordinates, target)
        tensors = [output.maps, output.F_interim, output.z_tilde, *coordinates, *terms.values()]
        assert {tensor.device.type for tensor in tensors} == {"cuda"}
        assert set(terms) == {"total", *criterion.weights}


@pytest.mark.gpu
@each
def test_a_step_on_a_card_is_the_cpu_s(file: Path, card: torch.device) -> None:
    """Losses and gradients with their numbers, which fake tensors do not have."""
    model, criterion = awake(file)
    terms, gradient = step_of(file, model, criterion, CPU)
    model, criterion = awake(file)
    found_terms, found = step_of(file, model, criterion, card)
    assert found_terms == pytest.approx(terms, rel=1e-3, abs=1e-5)
    assert float((found - gradient).norm()) < 1e-2 * float(gradient.norm())


def step_of(
    file: Path, model: PoseModel, criterion: Criterion, device: torch.device
) -> tuple[dict[str, float], Tensor]:
    """Every loss, and the gradient of all parameters as one vector."""
    model, criterion = model.to(device).train(), criterion.to(device)
    window = Window(*(tensor.to(device) for tensor in built(file).window))
    target = Target(*(tensor.to(device) for tensor in built(file).target))
    output = model(*window)
    terms: dict[str, Tensor] = criterion(output, model.coordinates(output), target)
    terms["total"].backward()
    grads = [p.grad for p in (*model.parameters(), *criterion.parameters()) if p.grad is not None]
    return {name: value.item() for name, value in terms.items()}, torch.cat(
        [grad.detach().double().flatten().cpu() for grad in grads]
    )
