"""A made-up pass of a model: every tensor a leaf, so that a test sees where gradient goes."""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tips import skeleton
from tips.models.complement import AuxiliaryHead
from tips.models.tips.record import Inside
from tips.ops.heatmap import encode
from tips.tensors import Coordinates, PoseOutput, Regressed, Target
from tips.terms import Loss, Pass

BATCH, FRAMES, CHANNELS, WIDTH, SIZE = 2, 3, 4, 6, 16
GROUPS = tuple(skeleton.GROUPS[5].values())


class Case(NamedTuple):
    output: PoseOutput
    coordinates: Coordinates
    target: Target
    head: nn.Module  # the backbone's own
    groups: tuple[tuple[int, ...], ...]

    def value(self, loss: Loss) -> Tensor:
        """What a term says of it."""
        return loss(self.one)

    @property
    def one(self) -> Pass:
        """The case as losses read it."""
        return Pass(self.output, self.target, self.coordinates, self.head)

    def having(self, **changes: Any) -> "Case":
        """The same case where the output holds something else."""
        return self._replace(output=self.output._replace(**changes))

    def inside(self, **changes: Any) -> "Case":
        """The same case where the record of the model's own holds something else."""
        return self.having(own=self.output.own._replace(**changes))

    def leaves(self) -> dict[str, Tensor]:
        """Every tensor of output and coordinates by name; group maps as one name."""
        return _named(self.output) | _named(self.coordinates)

    def reached(self, loss: Tensor) -> set[str]:
        """Names of the tensors that the loss moves."""
        leaves = self.leaves()
        found = torch.autograd.grad(
            loss, list(leaves.values()), allow_unused=True, retain_graph=True
        )
        return {n for n, g in zip(leaves, found, strict=True) if g is not None and g.any()}


def _named(record: Any) -> dict[str, Tensor]:
    found = {}
    for name, value in record._asdict().items():
        first = value[0] if type(value) is tuple else value
        if isinstance(first, Tensor):
            found[name] = first
        elif first is not None:
            found |= _named(first)
    return found


def leaf(*shape: int, draw: torch.Generator | None = None) -> Tensor:
    return torch.randn(shape, generator=draw).requires_grad_()


def make_target(joints: Tensor, weights: Tensor, height: int, width: int) -> Target:
    maps = [
        encode(j.numpy(), w.numpy(), height, width) for j, w in zip(joints, weights, strict=True)
    ]
    padded = torch.zeros(len(joints), FRAMES - 1, dtype=torch.bool)
    return Target(torch.stack([torch.from_numpy(m) for m in maps]), joints, weights, padded)


def make_case(points: int = 1) -> Case:
    draw = torch.Generator().manual_seed(0)
    parts = skeleton.COUNT
    output = PoseOutput(
        maps=leaf(BATCH, parts, SIZE, SIZE, draw=draw),
        F=leaf(BATCH, FRAMES, CHANNELS, SIZE, SIZE, draw=draw),
        regressed=Regressed(
            joints=torch.full((BATCH, parts, 2), SIZE / 2).requires_grad_(),
            spread=torch.full((BATCH, parts, 2), 0.2).requires_grad_(),
        ),
        own=Inside(
            F_interim=leaf(BATCH, points * (FRAMES - 1), WIDTH, SIZE, SIZE, draw=draw),
            z=leaf(BATCH, WIDTH, SIZE, SIZE, draw=draw),
            z_i=leaf(BATCH, len(GROUPS), WIDTH, SIZE, SIZE, draw=draw),
            group_maps=tuple(leaf(BATCH, len(group), SIZE, SIZE, draw=draw) for group in GROUPS),
            z_tilde=leaf(BATCH, WIDTH, SIZE, SIZE, draw=draw),
        ),
    )
    coordinates = Coordinates(
        R=leaf(BATCH, FRAMES, parts, 2, draw=draw),
        R_interim=leaf(BATCH, points, FRAMES - 1, parts, 2, draw=draw),
    )
    joints = SIZE * torch.rand(BATCH, parts, 2, generator=draw)
    weights = (torch.rand(BATCH, parts, generator=draw) > 0.2).float()
    target = make_target(joints, weights, SIZE, SIZE)
    head = nn.Conv2d(CHANNELS, parts, 1).requires_grad_(False)
    return Case(output, coordinates, target, head, GROUPS)


def without_labels(case: Case) -> Case:
    """The same output where nobody has a label."""
    nothing = torch.zeros(BATCH, skeleton.COUNT)
    joints = torch.full((BATCH, skeleton.COUNT, 2), float("nan"))
    return case._replace(target=make_target(joints, nothing, SIZE, SIZE))


def auxiliary(width: int, t: int) -> AuxiliaryHead:
    """A head h_z that has learnt something: it starts with a correction of zero."""
    head = AuxiliaryHead(width, t)
    nn.init.normal_(head.correction.weight, std=0.1)
    return head


class Reads(nn.Module):
    """A head that reads a map alone, not the whole pass."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, z: Tensor, one: Pass) -> Tensor:
        found: Tensor = self.head(z)
        return found


class Says(nn.Module):
    """A head that always answers the same maps."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__()
        self.maps = maps

    def forward(self, *read: object) -> Tensor:
        return self.maps
