"""The public networks that a rule runs as guests, and the joints that they know.

Their bodies lack PoseTrack's head_top and head_bottom; the other thirteen joints are common.
"""

from typing import Final, NamedTuple

from tips.config.guests import PeerName


class Peer(NamedTuple):
    """A public network that others trained on other data."""

    model: str  # stem of its files
    size: int  # height and width of its input, px
    places: dict[str, int]  # row of its output for each joint


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
PEERS: Final[dict[PeerName, Peer]] = {
    "movenet-thunder": Peer("movenet-thunder", 256, _COCO),
    "movenet-lightning": Peer("movenet-lightning", 192, _COCO),
    "blazepose": Peer("blazepose-full", 256, _BLAZE),
}
