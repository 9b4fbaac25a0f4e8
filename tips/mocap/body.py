"""The body bank and its posing: linear blend skinning over thirteen rigid groups.

A bank holds all that rendering needs of every random body. `body_bank.py` builds it once; to read
it, neither anny nor torch is needed. World axes: z points up; a body at rest faces -y and has its
left at +x. The unit is the metre.
"""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from tips import skeleton
from tips.mocap.motion import GROUPS, PARENTS
from tips.records import atomic_path

Array = np.ndarray

# Colour regions of the mesh; each has one tile of a person's texture. Limbs come as left, right.
REGIONS: Final = (
    "face",
    "hair",
    "neck",
    "torso",
    "panel",
    "hips",
    "left_upper_arm",
    "right_upper_arm",
    "left_forearm",
    "right_forearm",
    "left_hand",
    "right_hand",
    "left_thigh",
    "right_thigh",
    "left_shin",
    "right_shin",
    "left_shoe",
    "right_shoe",
)
STANDING: Final = 0.89  # m, hip height of the captured actor
_HIPS: Final = (GROUPS.index("right_thigh"), GROUPS.index("left_thigh"))


class BodyError(ValueError):
    """An unusable body bank."""


class Bank(NamedTuple):
    """B bodies of V vertices with the same topology; each row of `source` is a drawn vertex."""

    faces: Int[Array, "f 3"]  # triangles of drawn vertices
    source: Int[Array, "n"]  # mesh vertex of each drawn vertex; vertices on seams are doubled
    region: Int[Array, "n"]  # colour region of each drawn vertex
    uv: Float[Array, "n 2"]  # place of each drawn vertex in its region's tile, 0..1
    weights: Float[Array, "v 13"]  # share of each group in a vertex; rows sum to 1
    head: Int[Array, "k"]  # mesh vertices of the head without the neck
    rest: Float[Array, "b v 3"]  # vertices at rest, m
    normals: Float[Array, "b v 3"]  # unit normals at rest
    pivots: Float[Array, "b 13 3"]  # the point that a group turns about, at rest, m
    aligns: Float[Array, "b 13 3 3"]  # rotations that turn a resting limb straight down
    joints: Float[Array, "b 15 13 4"]  # joint = sum over groups of transform @ (weighted point, w)
    sides: Int[Array, "2"]  # number of bodies of train, and of val

    def side(self, split: str) -> tuple[int, int]:
        """Returns the first body of a split, and the number of its bodies."""
        train, val = (int(count) for count in self.sides)
        return (train, val) if split == "val" else (0, train)


def save_bank(bank: Bank, path: Path) -> None:
    """Writes a bank; equal banks give files of equal bytes."""
    with atomic_path(path) as temporary:
        np.savez(temporary, **bank._asdict())


def load_bank(path: Path) -> Bank:
    """Reads a bank. Raises BodyError if it is absent or has another layout."""
    try:
        with np.load(path) as arrays:
            bank = Bank(**{name: arrays[name] for name in Bank._fields})
    except FileNotFoundError as error:
        raise BodyError(f"{path}: no such body bank; run `tips stage bodies` first") from error
    except (KeyError, ValueError, OSError) as error:
        raise BodyError(f"{path}: not a body bank ({error}); delete it and run again") from error
    if bank.joints.shape[1:] != (skeleton.COUNT, len(GROUPS), 4):
        raise BodyError(f"{path}: bank of another layout; delete it and run again")
    return bank


def scale_of(bank: Bank, body: int) -> float:
    """Returns the body's size relative to the captured actor, by hip height above the soles."""
    hips = float(bank.pivots[body, list(_HIPS), 2].mean() - bank.rest[body, :, 2].min())
    return hips / STANDING


def transforms(
    bank: Bank,
    body: int,
    rotations: Float[Array, "t 13 3 3"],
    place: Float[Array, "t 3"],
) -> Float[Array, "t 13 3 4"]:
    """Computes the rigid transform of every group.

    Args:
        bank: the bank.
        body: index of the body.
        rotations: rotations of the groups in world axes, relative to standing at attention.
        place: place of the pelvis's pivot, m.

    Returns:
        [R | t] of each group, which moves a resting point to the world.
    """
    pivots = bank.pivots[body].astype(np.float64)
    turn = rotations @ bank.aligns[body].astype(np.float64)
    result = np.empty((len(place), len(GROUPS), 3, 4))
    for group, parent in enumerate(PARENTS):
        linear = turn[:, group]
        held = result[:, parent]
        pivot = place if parent < 0 else held[..., :3] @ pivots[group] + held[..., 3]
        result[:, group, :, :3] = linear
        result[:, group, :, 3] = pivot - linear @ pivots[group]
    return result


def skin(
    bank: Bank, body: int, transform: Float[Array, "13 3 4"]
) -> tuple[Float[Array, "v 3"], Float[Array, "v 3"]]:
    """Poses one body by linear blend skinning.

    Args:
        bank: the bank.
        body: index of the body.
        transform: [R | t] of each group, from `transforms`.

    Returns:
        Vertices, m, and normals, whose length is not exactly 1.
    """
    blend = bank.weights @ transform.reshape(len(GROUPS), 12).astype(np.float32)
    blend = blend.reshape(-1, 3, 4)
    linear = blend[..., :3]
    vertices = (linear @ bank.rest[body][..., None])[..., 0] + blend[..., 3]
    return vertices, (linear @ bank.normals[body][..., None])[..., 0]


def joints(bank: Bank, body: int, transform: Float[Array, "t 13 3 4"]) -> Float[Array, "t 15 3"]:
    """Computes the 15 joints in the order of `skeleton.JOINTS`, m.

    Args:
        bank: the bank.
        body: index of the body.
        transform: [R | t] of each group at each time, from `transforms`.
    """
    return np.einsum("tgab,jgb->tja", transform, bank.joints[body].astype(np.float64))
