"""What TIPS computes on its way to the heat maps; only its own losses and pictures read it."""

from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor


class Inside(NamedTuple):
    """The intermediate results of Fig. 2."""

    # F' of the synthesized poses: I = T - 1 maps per point, all of the first point before those of
    # the second; none without synthesis.
    F_interim: Float[Tensor, "B KI D h w"]
    z: Float[Tensor, "B D h w"]
    z_i: Float[Tensor, "B N D h w"]  # N = 0 without distillation
    group_maps: tuple[Float[Tensor, "B g h w"], ...]
    z_tilde: Float[Tensor, "B D h w"]
