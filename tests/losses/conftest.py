"""A made-up output of a model: every tensor a leaf, so that a test sees where gradient goes."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from tips import skeleton
from tips.ops.heatmap import encode
from tips.tensors import Coordinates, PoseOutput, Target

BATCH, FRAMES, CHANNELS, WIDTH, SIZE = 2, 3, 4, 6, 16
GROUPS = tuple(skeleton.GROUPS[5].values())


class Case(NamedTuple):
    output: PoseOutput
    coordinates: Coordinates
    target: Target
    groups: tuple[tuple[int, ...], ...]

    def leaves(self) -> dict[str, Tensor]:
        """Every tensor of output and coordinates by name; group maps as one name."""
        named = {**self.output._asdict(), **self.coordinates._asdict()}
        named["group_maps"] = named["group_maps"][0]
        return named

    def reached(self, loss: Tensor) -> set[str]:
        """Names of the tensors that the loss moves."""
        leaves = self.leaves()
        found = torch.autograd.grad(
            loss, list(leaves.values()), allow_unused=True, retain_graph=True
        )
        return {n for n, g in zip(leaves, found, strict=True) if g is not None and g.any()}


def make_target(joints: Tensor, weights: Tensor, height: int, width: int) -> Target:
    maps = [
        encode(j.numpy(), w.numpy(), height, width) for j, w in zip(joints, weights, strict=True)
    ]
    padded = torch.zeros(len(joints), FRAMES - 1, dtype=torch.bool)
    return Target(torch.stack([torch.from_numpy(m) for m in maps]), joints, weights, padded)


def make_case(points: int = 1) -> Case:
    draw = torch.Generator().manual_seed(0)

    def leaf(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draw).requires_grad_()

    parts = skeleton.COUNT
    output = PoseOutput(
        maps=leaf(BATCH, parts, SIZE, SIZE),
        group_maps=tuple(leaf(BATCH, len(group), SIZE, SIZE) for group in GROUPS),
        F=leaf(BATCH, FRAMES, CHANNELS, SIZE, SIZE),
        F_interim=leaf(BATCH, points * (FRAMES - 1), WIDTH, SIZE, SIZE),
        z=leaf(BATCH, WIDTH, SIZE, SIZE),
        z_i=leaf(BATCH, len(GROUPS), WIDTH, SIZE, SIZE),
        z_tilde=leaf(BATCH, WIDTH, SIZE, SIZE),
        joints=torch.full((BATCH, parts, 2), SIZE / 2).requires_grad_(),
        spread=torch.full((BATCH, parts, 2), 0.2).requires_grad_(),
    )
    coordinates = Coordinates(
        R=leaf(BATCH, FRAMES, parts, 2), R_interim=leaf(BATCH, points, FRAMES - 1, parts, 2)
    )
    joints = SIZE * torch.rand(BATCH, parts, 2, generator=draw)
    weights = (torch.rand(BATCH, parts, generator=draw) > 0.2).float()
    return Case(output, coordinates, make_target(joints, weights, SIZE, SIZE), GROUPS)


@pytest.fixture
def case() -> Case:
    return make_case()


@pytest.fixture
def unlabelled(case: Case) -> Case:
    """The same output where nobody has a label."""
    nothing = torch.zeros(BATCH, skeleton.COUNT)
    joints = torch.full((BATCH, skeleton.COUNT, 2), float("nan"))
    return case._replace(target=make_target(joints, nothing, SIZE, SIZE))
