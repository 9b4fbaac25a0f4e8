"""VFIT's sizes: the two published ones, and one that a CPU trains in minutes."""

from typing import NamedTuple


class Size(NamedTuple):
    """Four encoder stages from fine to coarse, and what frames are predicted from."""

    widths: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    features: int  # channels
    kernel: int  # taps of AdaCoF along each axis


SIZES = {
    "base": Size((64, 128, 256, 512), (2, 2, 6, 2), (2, 4, 8, 16), 64, 5),
    "small": Size((32, 64, 128, 192), (2, 2, 6, 2), (2, 4, 8, 16), 64, 5),
    "tiny": Size((8, 16, 24, 32), (1, 1, 1, 1), (1, 2, 3, 4), 8, 3),
}
