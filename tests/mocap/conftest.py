"""A capsule man and two made-up clips: everything of tips.mocap without a download."""

import json
from pathlib import Path

import numpy as np
import pytest

from tips import skeleton
from tips.config.embedded import Embedded
from tips.mocap.body import REGIONS, Bank, save_bank
from tips.mocap.motion import GROUPS

X = {"right": -1.0, "left": 1.0}
# pivot, end and radius of each part; the side's sign multiplies x
PARTS = {
    "pelvis": ((0, 0, 0.9), (0, 0, 1.05), 0.15, "hips"),
    "chest": ((0, 0, 1.05), (0, 0, 1.45), 0.16, "torso"),
    "head": ((0, 0, 1.45), (0, 0, 1.72), 0.1, "face"),
    "thigh": ((0.1, 0, 0.9), (0.1, 0, 0.48), 0.08, "{}_thigh"),
    "shin": ((0.1, 0, 0.48), (0.1, 0, 0.08), 0.06, "{}_shin"),
    "foot": ((0.1, 0, 0.08), (0.1, -0.2, 0.04), 0.05, "{}_shoe"),
    "upper_arm": ((0.22, 0, 1.4), (0.22, 0, 1.1), 0.05, "{}_upper_arm"),
    "forearm": ((0.22, 0, 1.1), (0.22, 0, 0.8), 0.045, "{}_forearm"),
}
JOINT_OF = {"ankle": "foot", "knee": "shin", "hip": "thigh", "elbow": "forearm"} | {
    "shoulder": "upper_arm"
}


def part(group):
    side, _, name = group.partition("_")
    if side not in X:
        return (*map(np.array, PARTS[group][:2]), *PARTS[group][2:])
    pivot, end, radius, region = PARTS[name]
    flip = np.array([X[side], 1, 1])
    return np.array(pivot) * flip, np.array(end) * flip, radius, region.format(side)


def tube(start, end, radius, count=8):
    """Closed tube, triangles counter-clockwise seen from outside."""
    axis = (end - start) / np.linalg.norm(end - start)
    u = np.cross(axis, [0.0, 1.0, 0.3])
    u /= np.linalg.norm(u)
    v = np.cross(axis, u)
    turn = np.arange(count) * 2 * np.pi / count
    ring = radius * (np.cos(turn)[:, None] * u + np.sin(turn)[:, None] * v)
    points = np.concatenate([start + ring, end + ring, [start, end]])
    faces = []
    for k in range(count):
        n = (k + 1) % count
        faces += [(k, n, count + n), (k, count + n, count + k)]
        faces += [(2 * count, n, k), (2 * count + 1, count + k, count + n)]
    normals = np.concatenate([ring, ring, [-axis, axis]])
    return points, np.array(faces), normals / np.linalg.norm(normals, axis=1, keepdims=True)


def joint_point(name):
    if name == "nose":
        return "head", np.array([0, -0.09, 1.55])
    if name in ("head_top", "head_bottom"):
        return "head", np.array([0, 0, 1.7 if name == "head_top" else 1.46])
    side, _, kind = name.partition("_")
    if kind == "wrist":
        return f"{side}_forearm", part(f"{side}_forearm")[1] + [0, 0, 0.03]
    group = f"{side}_{JOINT_OF[kind]}"
    return group, part(group)[0]


def capsule_bank(bodies=2):
    points, faces, normals, weights, regions, pivots = [], [], [], [], [], []
    for index, group in enumerate(GROUPS):
        pivot, end, radius, region = part(group)
        p, f, n = tube(pivot, end, radius)
        faces.append(f + sum(map(len, points)))
        points.append(p)
        normals.append(n)
        weights.append(np.tile(np.eye(len(GROUPS))[index], (len(p), 1)))
        regions += [REGIONS.index(region)] * len(p)
        pivots.append(pivot)
    rest = np.concatenate(points).astype(np.float32)
    joints = np.zeros((skeleton.COUNT, len(GROUPS), 4), np.float32)
    for index, name in enumerate(skeleton.JOINTS):
        group, point = joint_point(name)
        joints[index, GROUPS.index(group)] = [*point, 1]
    regions = np.array(regions)
    sizes = np.linspace(0.95, 1.05, 2 * bodies, dtype=np.float32)[:, None, None]
    scale = np.array([1, 1, 1, 0], np.float32) * (sizes[..., None] - 1) + 1
    return Bank(
        faces=np.concatenate(faces),
        source=np.arange(len(rest)),
        region=regions,
        uv=np.full((len(rest), 2), 0.5, np.float32),
        weights=np.concatenate(weights).astype(np.float32),
        head=np.flatnonzero(regions == REGIONS.index("face")),
        rest=rest * sizes,
        normals=np.tile(np.concatenate(normals).astype(np.float32), (2 * bodies, 1, 1)),
        pivots=np.array(pivots, np.float32) * sizes,
        aligns=np.tile(np.eye(3, dtype=np.float32), (2 * bodies, len(GROUPS), 1, 1)),
        joints=joints * scale,
        sides=np.array([bodies, bodies]),
    )


def motion_frames(seed, count=31):
    """A smooth, made-up clip: 1 s at 30 Hz, quaternions with random signs as real files have."""
    rng = np.random.default_rng(seed)
    time = np.arange(count) / (count - 1)
    rows = np.zeros((count, 44))
    rows[:-1, 0] = 1 / (count - 1)
    rows[:, 1], rows[:, 2] = time, 0.87 + 0.03 * np.sin(2 * np.pi * time)
    column = 4
    for group in range(len(GROUPS)):
        wave = np.sin(2 * np.pi * time + rng.uniform(0, 6))
        if group in (4, 9, 7, 12):
            rows[:, column] = (-1 if group in (4, 9) else 1) * (0.5 + 0.4 * wave)
            column += 1
            continue
        axis = rng.normal(size=3)
        half = 0.2 * wave
        axis = np.sin(half)[:, None] * axis / np.linalg.norm(axis)
        rows[:, column : column + 4] = np.column_stack([np.cos(half), axis])
        rows[:, column : column + 4] *= rng.choice([-1, 1], count)[:, None]
        column += 4
    return rows


@pytest.fixture(scope="session")
def motions(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("motions")
    for seed, name in enumerate(("walk", "kick", "run")):
        text = json.dumps({"Loop": "wrap", "Frames": motion_frames(seed).tolist()})
        (folder / f"humanoid3d_{name}.txt").write_text(text)
    return folder


@pytest.fixture(scope="session")
def bank() -> Bank:
    return capsule_bank()


@pytest.fixture(scope="session")
def bank_file(bank, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bank") / "bodies.npz"
    save_bank(bank, path)
    return path


@pytest.fixture(scope="session")
def small() -> Embedded:
    return Embedded(
        width=96,
        height=72,
        person_height=(35, 45),
        people=(1, 2),
        frames=5,
        key_frames=(1, 3),
        train=3,
        val=2,
        stills=5,
        stills_per_sequence=3,
        bodies=2,
        train_motions=("walk", "kick"),
        val_motions=("run",),
        shards={"train": 2, "val": 1, "stills": 1},
    )
