"""VFIT's sizes: the two published ones, and one that a CPU trains in minutes."""

from typing import NamedTuple


class Size(NamedTuple):
    """Four encoder stages from fine to coarse, and the channels that frames are predicted from."""

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    features: int


SIZES = {
    "base": Size((64, 128, 256, 512), (2, 2, 6, 2), (2, 4, 8, 16), 64),
    "small": Size((32, 64, 128, 192), (2, 2, 6, 2), (2, 4, 8, 16), 64),
    "tiny": Size((8, 16, 24, 32), (2, 2, 2, 2), (1, 2, 3, 4), 16),
}
