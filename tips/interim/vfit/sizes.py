"""VFIT's sizes: the two published ones, and a tiny one that a CPU trains in minutes."""

from typing import NamedTuple


class Size(NamedTuple):
    """The four encoder stages, from fine to coarse, and the prediction of a frame."""

    widths: tuple[int, int, int, int]  # channels of each stage
    depths: tuple[int, int, int, int]  # blocks of each stage
    heads: tuple[int, int, int, int]  # attention heads of each stage
    features: int  # channels that a frame is predicted from
    kernel: int  # number of AdaCoF's taps along each axis


SIZES = {
    "base": Size((64, 128, 256, 512), (2, 2, 6, 2), (2, 4, 8, 16), 64, 5),
    "small": Size((32, 64, 128, 192), (2, 2, 6, 2), (2, 4, 8, 16), 64, 5),
    "tiny": Size((8, 16, 24, 32), (1, 1, 1, 1), (1, 2, 3, 4), 8, 3),
}
