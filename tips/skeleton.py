"""The 15 body parts: names, order, mirror pairs, OKS sigmas, report columns, part groups.

PoseTrack's order is that of its evaluator (ids 0..14) and of Table V's last row. JHMDB has 15 other
joints. So tensors have the same shape for both; only names, mirror pairs, bones and groups differ.
`POSETRACK` and `JHMDB` hold these; the module's own names are PoseTrack's.
"""

from itertools import pairwise
from typing import Final, NamedTuple

Groups = dict[int, dict[str, tuple[int, ...]]]


class Skeleton(NamedTuple):
    """The joints that a dataset labels, and what depends on them."""

    joints: tuple[str, ...]
    mirror: tuple[int, ...]  # id of each joint's partner on the other side, or its own id
    bones: tuple[tuple[int, int], ...]  # pairs of joints that are drawn as bones
    columns: dict[str, tuple[str, ...]]  # joints of each column of published tables, in order
    groups: Groups  # part groups, by their number N


JOINTS: Final = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "head_bottom",
    "nose",
    "head_top",
)
INDEX: Final = {name: index for index, name in enumerate(JOINTS)}
COUNT: Final = len(JOINTS)

# The 17 keypoint slots of PoseTrack18's files; the ears are never labelled and never evaluated.
SLOTS_17: Final = (
    "nose",
    "head_bottom",
    "head_top",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)


def _mirrored(name: str) -> str:
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


def _mirror(joints: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(joints.index(_mirrored(name)) for name in joints)


MIRROR: Final = _mirror(JOINTS)

# Pairs of joints that are drawn as bones.
BONES: Final = tuple(
    (INDEX[a], INDEX[b])
    for a, b in (
        ("right_ankle", "right_knee"),
        ("right_knee", "right_hip"),
        ("left_ankle", "left_knee"),
        ("left_knee", "left_hip"),
        ("right_hip", "left_hip"),
        ("right_hip", "right_shoulder"),
        ("left_hip", "left_shoulder"),
        ("right_shoulder", "left_shoulder"),
        ("right_shoulder", "right_elbow"),
        ("right_elbow", "right_wrist"),
        ("left_shoulder", "left_elbow"),
        ("left_elbow", "left_wrist"),
        ("head_bottom", "nose"),
        ("nose", "head_top"),
    )
)

# The seven columns of Tables VIII-X, in print order.
COLUMNS: Final = {
    "Head": ("head_top", "head_bottom", "nose"),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}

# COCO's sigmas. Those of head_bottom and head_top are from openpifpaf's PoseTrack plug-in; mmpose
# takes the eyes' .025, which is far too small for these two joints.
_SIGMA: Final = {
    "ankle": 0.089,
    "knee": 0.087,
    "hip": 0.107,
    "wrist": 0.062,
    "elbow": 0.072,
    "shoulder": 0.079,
    "head_bottom": 0.08,
    "nose": 0.026,
    "head_top": 0.06,
}
SIGMAS: Final = tuple(_SIGMA[name.removeprefix("left_").removeprefix("right_")] for name in JOINTS)


def _ids(*names: str) -> tuple[int, ...]:
    return tuple(INDEX[name] for name in names)


_HEAD: Final = ("head_top", "nose", "head_bottom")

# Paper: Table V names groups in words, and books the shoulders twice for N = 8; here: resolved to
# 15 joints, N = 8 with the shoulders in the upper arms, because only that reading is a partition
# that mutual information and spectral clustering produce from real annotations.
GROUPS: Final[Groups] = {
    1: {"all parts": tuple(range(COUNT))},
    3: {
        "head": _ids(*_HEAD),
        "upper limb": _ids(
            "left_shoulder",
            "right_shoulder",
            "left_elbow",
            "right_elbow",
            "left_wrist",
            "right_wrist",
        ),
        "lower limb": _ids(
            "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"
        ),
    },
    5: {
        "head-shoulder": _ids(*_HEAD, "left_shoulder", "right_shoulder"),
        "left lower arm": _ids("left_elbow", "left_wrist"),
        "right lower arm": _ids("right_elbow", "right_wrist"),
        "thigh": _ids("left_hip", "right_hip"),
        "lower limb": _ids("left_knee", "right_knee", "left_ankle", "right_ankle"),
    },
    8: {
        "head": _ids(*_HEAD),
        "left upper arm": _ids("left_shoulder", "left_elbow"),
        "left lower arm": _ids("left_wrist"),
        "right upper arm": _ids("right_shoulder", "right_elbow"),
        "right lower arm": _ids("right_wrist"),
        "thigh": _ids("left_hip", "right_hip"),
        "left lower leg": _ids("left_knee", "left_ankle"),
        "right lower leg": _ids("right_knee", "right_ankle"),
    },
    15: {name: (index,) for index, name in enumerate(JOINTS)},
}

POSETRACK: Final = Skeleton(JOINTS, MIRROR, BONES, COLUMNS, GROUPS)


def _jhmdb() -> Skeleton:
    joints = (
        "neck",
        "belly",
        "face",
        "right_shoulder",
        "left_shoulder",
        "right_hip",
        "left_hip",
        "right_elbow",
        "left_elbow",
        "right_knee",
        "left_knee",
        "right_wrist",
        "left_wrist",
        "right_ankle",
        "left_ankle",
    )

    def ids(*names: str) -> tuple[int, ...]:
        return tuple(joints.index(name) for name in names)

    bones = [("neck", "face"), ("neck", "belly")]
    for side in ("right", "left"):
        arm = ["neck", *(f"{side}_{part}" for part in ("shoulder", "elbow", "wrist"))]
        leg = ["belly", *(f"{side}_{part}" for part in ("hip", "knee", "ankle"))]
        bones += [*pairwise(arm), *pairwise(leg)]
    # Paper: gives no groups for JHMDB; here: Table V's five as far as these joints have them, with
    # the face for nose and head top and the belly with the hips, because that is what is labelled.
    five = {
        "head-shoulder": ids("neck", "face", "left_shoulder", "right_shoulder"),
        "left arm": ids("left_elbow", "left_wrist"),
        "right arm": ids("right_elbow", "right_wrist"),
        "belly-hips": ids("belly", "left_hip", "right_hip"),
        "legs": ids("left_knee", "right_knee", "left_ankle", "right_ankle"),
    }
    return Skeleton(
        joints=joints,
        mirror=_mirror(joints),
        bones=tuple((joints.index(a), joints.index(b)) for a, b in bones),
        columns={**COLUMNS, "Head": ("face",)},
        groups={
            1: {"all parts": tuple(range(len(joints)))},
            5: five,
            15: {name: (index,) for index, name in enumerate(joints)},
        },
    )


JHMDB: Final = _jhmdb()
