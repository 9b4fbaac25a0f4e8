"""The public networks that are compared with this study's rows, and the joints that they know."""

from typing import Final, NamedTuple

from tips import skeleton

# The peers' bodies lack PoseTrack's head_top and head_bottom; the other thirteen joints are common.
JOINTS: Final = tuple(name for name in skeleton.JOINTS if not name.startswith("head_"))


class Peer(NamedTuple):
    """A public network that others trained on other data."""

    label: str
    model: str  # stem of its files
    size: int  # height and width of its input, px
    places: dict[str, int]  # row of its output for each joint
    trained_on: str


def _places(first: dict[str, int]) -> dict[str, int]:
    """Adds the nose and the right joints; a right joint is the row after its left partner."""
    both = {f"right_{name.removeprefix('left_')}": row + 1 for name, row in first.items()}
    return {"nose": 0, **first, **both}


_LIMBS: Final = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_COCO: Final = _places(
    {f"left_{name}": row for name, row in zip(_LIMBS, (5, 7, 9, 11, 13, 15), strict=True)}
)
_BLAZE: Final = _places(
    {f"left_{name}": row for name, row in zip(_LIMBS, (11, 13, 15, 23, 25, 27), strict=True)}
)
_MOVENET_DATA: Final = "photographs: COCO and Google's Active"

PEERS: Final = {
    "movenet-thunder": Peer("MoveNet Thunder", "movenet-thunder", 256, _COCO, _MOVENET_DATA),
    "movenet-lightning": Peer("MoveNet Lightning", "movenet-lightning", 192, _COCO, _MOVENET_DATA),
    "blazepose": Peer(
        "BlazePose full", "blazepose-full", 256, _BLAZE, "photographs: Google's own 85,000"
    ),
}
