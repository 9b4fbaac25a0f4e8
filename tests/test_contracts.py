"""What the output of every file of experiments/ promises, at smoke scale."""

from itertools import pairwise
from pathlib import Path
from typing import Any, get_args, get_origin

import pytest
import torch
from every import BATCH, FILES, JOINTS, answer, built, each, members, settled, tensors
from jaxtyping import AbstractArray, jaxtyped
from torch import Tensor

from tips.data.windows import positions
from tips.models.tips.record import Inside
from tips.tensors import PoseOutput, Window


def check_fields(*records: Any) -> None:
    """Compares records, and those that they hold, with their annotations.

    One binding of the axes serves all of them; only parts of a tuple may differ in size.
    """
    alone: list[tuple[str, Any, Any]] = []
    with jaxtyped("context"):
        for name, kind, value in (one for record in records for one in annotated(record)):
            if isinstance(value, tuple):
                alone += [(name, get_args(kind)[0], part) for part in value]
            else:
                assert isinstance(value, kind), f"{name}: {tuple(value.shape)} is not {kind}"
    for name, kind, part in alone:
        with jaxtyped("context"):
            assert isinstance(part, kind), f"{name}: {tuple(part.shape)} is not {kind}"


def annotated(record: Any) -> list[tuple[str, Any, Any]]:
    """Name, annotation and value of each tensor, and each tuple of tensors, of a record."""
    found = []
    for name, value in members(record):
        kind = type(record).__annotations__[name]
        if hasattr(value, "_asdict"):
            found += annotated(value)
        elif value is not None:
            shape = get_args(kind)[0] if get_origin(kind) is tuple else kind
            assert issubclass(shape, AbstractArray), f"{type(record).__name__}.{name}: no shape"
            found.append((name, kind, value))
    return found


@each
def test_output_has_the_shapes_that_its_records_annotate(file: Path) -> None:
    experiment, model, window, target = built(file)
    output, coordinates = answer(file)
    check_fields(window, target, output, coordinates)
    frames, points, size = len(experiment.window), len(experiment.points), built(file).map_size
    assert output.maps.shape == (BATCH, JOINTS, *size)
    assert output.F.shape == (BATCH, frames, model.backbone.channels, *size)
    found = tensors(output) | tensors(coordinates, "coordinates")
    assert all(len(one) == BATCH and torch.isfinite(one).all() for one in found.values())
    if isinstance(output.own, Inside):
        assert [maps.shape[1] for maps in output.own.group_maps] == [*map(len, model.groups)]
        assert output.own.z_i.shape[1] == len(model.groups)
        assert output.own.F_interim.shape[1] == points * (frames - 1)
        assert output.own.z_tilde.shape == output.own.z.shape
    if coordinates is not None:
        assert coordinates.R.shape == (BATCH, frames, JOINTS, 2)
        assert coordinates.R_interim.shape[1:3] == (points, frames - 1 if points else 0)


def test_a_wrong_shape_in_any_record_is_seen() -> None:
    maps, F = torch.zeros(2, 15, 4, 4), torch.zeros(2, 3, 5, 4, 4)
    z = torch.zeros(2, 6, 4, 4)
    inside = Inside(F[:, :, :], z, z[:, None], (maps[:, :3],), z)
    with pytest.raises(AssertionError, match=r"z: \(2, 6, 4, 4\) is not"):
        check_fields(PoseOutput(maps, F, own=inside))  # D is 5 in F_interim
    inside = inside._replace(F_interim=z[:, None])
    check_fields(PoseOutput(maps, F, own=inside))
    with pytest.raises(AssertionError, match=r"group_maps: \(2, 3, 16\) is not"):
        check_fields(PoseOutput(maps, F, own=inside._replace(group_maps=(maps[:, :3].flatten(2),))))


@each
def test_evaluation_is_deterministic_and_samples_do_not_meet(file: Path) -> None:
    model, window = settled(file), built(file).window
    with torch.inference_mode():
        together, again = tensors(model(*window)), tensors(model(*window))
        alone = [tensors(model(*(one[i : i + 1] for one in window))) for i in range(BATCH)]
    assert together.keys() == again.keys() == alone[0].keys()
    for name, expected in together.items():
        assert torch.equal(again[name], expected), name
        assert close(torch.cat([one[name] for one in alone]), expected), name


def close(found: Tensor, expected: Tensor) -> bool:
    """Equal but for rounding, which grows with the largest number."""
    largest = torch.cat([expected.abs().flatten(), torch.ones(1)]).max()
    return torch.allclose(found, expected, rtol=1e-4, atol=1e-4 * float(largest))


def predicted(output: PoseOutput) -> Tensor:
    """What a model answers with: regressed joints, else maps."""
    return output.maps if output.regressed is None else output.regressed.joints


@each
def test_every_frame_of_the_window_changes_the_answer(file: Path) -> None:
    """A single-frame model's window is frame t alone: it has no neighbour to look at."""
    experiment, _, window, _ = built(file)
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
    model = settled(file)
    with torch.inference_mode():
        output = model(*window)
        coordinates = model.coordinates(output)
    check_fields(window, output, coordinates)
    found, usual = tensors((output, coordinates)), tensors(answer(file))
    assert {name: one.shape for name, one in found.items()} == {
        name: one.shape for name, one in usual.items()
    }
    assert all(torch.isfinite(one).all() for one in found.values())


def at_an_end(file: Path, end: str) -> Window:
    """Repeats frames and fills padded intervals as the data does."""
    experiment, _, (images, rough), _ = built(file)
    count = len(experiment.window)
    frame, length = {"first": (0, count), "last": (count - 1, count), "only": (0, 1)}[end]
    frames = positions(frame, length, experiment.window)
    between = rough.clone()
    for i, (left, right) in enumerate(pairwise(frames) if len(rough[0]) else ()):
        if left == right:
            between[:, i] = images[:, left]
    return Window(images[:, frames], between)


def starts(file: Path) -> bool:
    """Whether an experiment says what its maps begin at; PoseWarper's begin at no frame's own."""
    experiment = built(file).experiment
    return experiment.first_stage or hasattr(experiment, "head")


@pytest.mark.parametrize("file", list(filter(starts, FILES)), ids=lambda path: path.stem)
def test_fresh_maps_start_where_the_configuration_says(file: Path) -> None:
    experiment, model, _, _ = built(file)
    head = getattr(experiment, "head", None)
    output, _ = answer(file)
    with torch.inference_mode():
        start = model.backbone.maps(output.F[:, experiment.t])
    if head is not None and head.start == "scratch":
        start = torch.zeros_like(start)
    assert torch.allclose(output.maps, start, rtol=0, atol=1e-6)  # DCPose's by interpolation
    if isinstance(output.own, Inside):
        for group, maps in zip(model.groups, output.own.group_maps, strict=True):
            assert torch.equal(maps, start[:, list(group)])


@each
def test_interim_frames_matter_exactly_where_the_configuration_says(file: Path) -> None:
    experiment, model, window, _ = built(file)
    intervals = (BATCH, len(experiment.window) - 1)
    # Both have the same shape: a batch of another size may be summed in another order.
    one, other = torch.randn(2, *intervals, *window.images.shape[2:])
    with torch.inference_mode():
        seen, changed = (tensors(model.eval()(window.images, rough)) for rough in (one, other))
    same = all(torch.equal(seen[name], changed[name]) for name in seen)
    assert same == (experiment.interim_frames is None)
