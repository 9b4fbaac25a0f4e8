"""What TIPS computes on its way to the heat maps: for its own losses and pictures alone."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Inside(NamedTuple):
    """The stations of Fig. 2."""

    F_interim: Float[Tensor, "B KI D h w"]  # K (T-1) maps, point-major; 0 without synthesis
    z: Float[Tensor, "B D h w"]
    z_i: Float[Tensor, "B N D h w"]  # N = 0 without distillation
    group_maps: tuple[Float[Tensor, "B g h w"], ...]
    z_tilde: Float[Tensor, "B D h w"]
