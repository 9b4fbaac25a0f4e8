"""Reads, samples, mirrors, mixes and disturbs clips of motion capture.

The clips are DeepMimic's (X. B. Peng et al., ACM TOG 37(4), 2018), as the `pybullet` wheel ships
them. Clip axes: x forward, y up, z to the right. A pose is the place of the root and the rotations
of thirteen rigid groups relative to their parents, as unit quaternions (w, x, y, z).
"""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from tips.records import RecordError, read_object

GROUPS: Final = (
    "pelvis",
    "chest",
    "head",
    "right_thigh",
    "right_shin",
    "right_foot",
    "right_upper_arm",
    "right_forearm",
    "left_thigh",
    "left_shin",
    "left_foot",
    "left_upper_arm",
    "left_forearm",
)
PARENTS: Final = (-1, 0, 1, 0, 3, 4, 1, 6, 0, 8, 9, 1, 11)
MIRRORED: Final = (0, 1, 2, 8, 9, 10, 11, 12, 3, 4, 5, 6, 7)
UPPER: Final = (1, 2, 6, 7, 11, 12)
# A hinge turns about z: knees bend backward (negative), elbows forward (positive).
KNEES: Final = (4, 9)
ELBOWS: Final = (7, 12)
HINGES: Final = KNEES + ELBOWS
_LIMIT: Final = 2.6  # rad, largest bend of a knee or an elbow

# A frame of a file holds its duration, the root's place, and a block per group in the order of
# GROUPS: one angle for a hinge, a quaternion for the others.
_WIDTHS: Final = tuple(1 if group in HINGES else 4 for group in range(len(GROUPS)))
_NUMBERS: Final = 4 + sum(_WIDTHS)

# Turns clip axes into world axes: z points up, a body at rest faces -y, its left is +x.
TO_WORLD: Final = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

Array = np.ndarray


class Clip(NamedTuple):
    """One motion clip as captured; quaternion signs are continuous in time."""

    name: str
    times: Float[Array, "n"]  # s, from 0
    root: Float[Array, "n 3"]  # m, clip axes
    turns: Float[Array, "n 13 4"]  # quaternions relative to the parent group

    @property
    def duration(self) -> float:
        """Seconds between the first and the last frame."""
        return float(self.times[-1])


class Motion(NamedTuple):
    """Poses at given times."""

    root: Float[Array, "t 3"]  # m, clip axes
    turns: Float[Array, "t 13 4"]


class MotionError(ValueError):
    """A missing or malformed motion file."""


def read_clip(path: Path) -> Clip:
    """Reads one `humanoid3d_*.txt`.

    Args:
        path: a json file with `Frames` of 44 numbers each.

    Returns:
        The clip, named after the file.

    Raises:
        MotionError: if the file is absent or malformed.
    """
    try:
        rows = np.array(read_object(path)["Frames"], dtype=np.float64)
    except RecordError as error:
        raise MotionError(f"{error}; `tips stage fetch` fetches it") from error
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MotionError(f"{path}: not a motion file ({error}); fetch it again") from error
    if rows.ndim != 2 or rows.shape[1] != _NUMBERS or len(rows) < 4:
        raise MotionError(
            f"{path}: a clip has at least 4 frames of {_NUMBERS} numbers; got {rows.shape}"
        )
    steps = rows[:-1, 0]  # the last frame's duration is 0 in most files
    if not np.isfinite(rows).all() or (steps <= 0).any():
        raise MotionError(f"{path}: numbers must be finite and durations above 0")
    return Clip(
        name=path.stem.removeprefix("humanoid3d_"),
        times=np.concatenate([[0.0], np.cumsum(steps)]),
        root=rows[:, 1:4],
        turns=continuous(_turns(rows[:, 4:])),
    )


def read_clips(folder: Path, names: tuple[str, ...]) -> dict[str, Clip]:
    """Reads the named clips of a folder. Raises MotionError, which names the file."""
    return {name: read_clip(folder / f"humanoid3d_{name}.txt") for name in names}


def _turns(blocks: Array) -> Array:
    """Computes quaternions (n, 13, 4) from the blocks of a file (n, 40)."""
    turns = np.zeros((len(blocks), len(GROUPS), 4))
    start = 0
    for group, width in enumerate(_WIDTHS):
        block = blocks[:, start : start + width]
        turns[:, group] = block if width == 4 else hinge(block[:, 0])
        start += width
    return turns / np.linalg.norm(turns, axis=-1, keepdims=True)


def hinge(angle: Float[Array, "*n"]) -> Float[Array, "*n 4"]:
    """Returns the quaternion of a turn about z by `angle` rad."""
    turns = np.zeros((*angle.shape, 4))
    turns[..., 0] = np.cos(angle / 2)
    turns[..., 3] = np.sin(angle / 2)
    return turns


def continuous(turns: Float[Array, "n g 4"]) -> Float[Array, "n g 4"]:
    """Returns the same rotations with signs such that neighbours in time have dot product >= 0."""
    dots = np.einsum("ngc,ngc->ng", turns[1:], turns[:-1])
    signs = np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
    fixed = turns.copy()
    fixed[1:] *= signs[..., None]
    return fixed


def sample(clip: Clip, times: Float[Array, "t"]) -> Motion:
    """Samples a clip at any times inside it, with continuous velocity.

    Root and quaternions are Catmull-Rom splines in time; quaternions are normalised again. With a
    piecewise linear curve the true joints between two frames would lie on the line of Eq. 4 by
    construction.

    Args:
        clip: the clip.
        times: s, in any order; clamped to 0 ... `clip.duration`.

    Returns:
        The poses at these times.
    """
    knots = clip.times
    left = np.clip(np.searchsorted(knots, times, side="right") - 1, 0, len(knots) - 2)
    s = np.clip((times - knots[left]) / (knots[left + 1] - knots[left]), 0.0, 1.0)
    weights = 0.5 * np.stack(
        [
            -s + 2 * s**2 - s**3,
            2 - 5 * s**2 + 3 * s**3,
            s + 4 * s**2 - 3 * s**3,
            -(s**2) + s**3,
        ],
        axis=-1,
    )
    near = np.clip(left[:, None] + np.arange(-1, 3), 0, len(knots) - 1)
    root = np.einsum("tk,tkc->tc", weights, clip.root[near])
    turns = np.einsum("tk,tkgc->tgc", weights, clip.turns[near])
    return Motion(root, turns / np.linalg.norm(turns, axis=-1, keepdims=True))


def mirror(motion: Motion) -> Motion:
    """Returns the motion with left and right exchanged."""
    turns = motion.turns[:, list(MIRRORED)] * np.array([1.0, -1.0, -1.0, 1.0])
    return Motion(motion.root * np.array([1.0, 1.0, -1.0]), turns)


def mix(lower: Motion, upper: Motion) -> Motion:
    """Combines legs, pelvis and place of one motion with chest, head and arms of another."""
    turns = lower.turns.copy()
    turns[:, list(UPPER)] = upper.turns[:, list(UPPER)]
    return Motion(lower.root, turns)


def disturb(
    motion: Motion, times: Float[Array, "t"], sd: float, rng: np.random.Generator
) -> Motion:
    """Adds noise, smooth in time, to the joint angles.

    Args:
        motion: poses at `times`.
        times: s.
        sd: standard deviation of each angle, rad; 0 changes nothing.
        rng: source of the noise.

    Returns:
        The disturbed motion; knees and elbows stay within their range.
    """
    count = len(GROUPS)
    constant, wave = rng.normal(0.0, sd * np.sqrt(0.5), (2, count, 3))
    rate = rng.uniform(0.3, 1.0, (count, 1))  # Hz, so that noise is slower than the motion
    phase = rng.uniform(0.0, 2 * np.pi, (count, 1))
    waves = np.sin(2 * np.pi * rate * times[:, None, None] + phase)
    angles = constant + np.sqrt(2.0) * wave * waves  # (t, 13, 3) rad
    turns = multiply(motion.turns, from_vector(angles))
    for group in HINGES:
        bend = 2 * np.arctan2(motion.turns[:, group, 3], motion.turns[:, group, 0])
        bend = (bend + np.pi) % (2 * np.pi) - np.pi + angles[:, group, 2]
        low, high = (-_LIMIT, 0.0) if group in KNEES else (0.0, _LIMIT)
        turns[:, group] = hinge(np.clip(bend, low, high))
    return Motion(motion.root, turns)


def from_vector(vectors: Float[Array, "*n 3"]) -> Float[Array, "*n 4"]:
    """Returns the quaternions of rotation vectors (axis times angle, rad)."""
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scale = 0.5 * np.sinc(angle / (2 * np.pi))  # sin(angle / 2) / angle
    return np.concatenate([np.cos(angle / 2), vectors * scale], axis=-1)


def multiply(a: Float[Array, "*n 4"], b: Float[Array, "*n 4"]) -> Float[Array, "*n 4"]:
    """Returns the quaternion products a b, which turn by b first and by a second."""
    aw, ax, ay, az = np.moveaxis(a, -1, 0)
    bw, bx, by, bz = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=-1,
    )


def matrices(turns: Float[Array, "*n 4"]) -> Float[Array, "*n 3 3"]:
    """Returns the rotation matrices of unit quaternions."""
    w, x, y, z = np.moveaxis(turns, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def world_rotations(motion: Motion) -> Float[Array, "t 13 3 3"]:
    """Returns every group's rotation in world axes (z up), relative to standing at attention."""
    local = matrices(motion.turns)
    whole = np.empty_like(local)
    for group, parent in enumerate(PARENTS):
        whole[:, group] = local[:, group] if parent < 0 else whole[:, parent] @ local[:, group]
    return np.einsum("ab,tgbc,dc->tgad", TO_WORLD, whole, TO_WORLD)
