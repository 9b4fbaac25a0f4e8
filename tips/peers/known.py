"""The public networks that stand beside this study's rows: what they are, what they can see."""

from typing import Final, NamedTuple

from tips import skeleton

# Neither body has PoseTrack's head_top and head_bottom: thirteen joints are common to all.
JOINTS: Final = tuple(name for name in skeleton.JOINTS if not name.startswith("head_"))


class Peer(NamedTuple):
    """A network from outside, trained by others on other data."""

    label: str
    model: str  # stem of its files
    size: int  # px, height and width of its input
    places: dict[str, int]  # joint -> row of its output
    trained_on: str


def _places(first: dict[str, int]) -> dict[str, int]:
    """Completes left joints, whose partner on the right is the next row."""
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
