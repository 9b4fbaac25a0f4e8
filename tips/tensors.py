"""Named tuples of tensors that cross a folder.

B batch, T frames of the window, K trajectory points, J = 15 parts, N groups, C and D channels,
H W the resolution of that tensor.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor


class Window(NamedTuple):
    """A batch of person windows: what a model sees. Images are normalised RGB."""

    images: Float[Tensor, "B T 3 H W"]
    rough: Float[Tensor, "B _i 3 H W"]  # interim frames; T - 1, or 0 where none is looked at


class Target(NamedTuple):
    """What the losses compare with, all at frame t."""

    maps: Float[Tensor, "B J h w"]  # Gaussian heat maps, peak 1
    joints: Float[Tensor, "B J 2"]  # map px, x then y, not rounded
    weights: Float[Tensor, "B J"]  # 1 = annotated and inside the crop
    padded: Bool[Tensor, "B T-1"]  # interval touches a repeated frame at a clip's end


class PoseOutput(NamedTuple):
    """Everything a forward pass computes, always complete."""

    maps: Float[Tensor, "B J h w"]
    group_maps: tuple[Float[Tensor, "B g h w"], ...]
    F: Float[Tensor, "B T C h w"]
    F_interim: Float[Tensor, "B KI D h w"]  # K (T-1) maps, point-major; 0 without synthesis
    z: Float[Tensor, "B D h w"]
    z_i: Float[Tensor, "B N D h w"]  # N = 0 without distillation; TDMI in training: 2
    z_tilde: Float[Tensor, "B D h w"]
    # Regressed, not read from maps: _r = J; 0 where the maps are what is predicted.
    joints: Float[Tensor, "B _r 2"]  # map px, x then y
    spread: Float[Tensor, "B _r 2"]  # expected error, share of the map's width and height


class Coordinates(NamedTuple):
    """Eq. 2-3: coordinates in map px, from the two coordinate heads."""

    R: Float[Tensor, "B T J 2"]
    R_interim: Float[Tensor, "B K I J 2"]
