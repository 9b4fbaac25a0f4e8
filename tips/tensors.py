"""Named tuples of tensors that cross a folder.

B batch, T frames of the window, K trajectory points, J = 15 parts, N groups, C and D channels,
H W the resolution of that tensor.
"""

from typing import Any, NamedTuple

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


class Regressed(NamedTuple):
    """Joints that a model regresses instead of reading them from maps."""

    joints: Float[Tensor, "B J 2"]  # map px, x then y
    spread: Float[Tensor, "B J 2"]  # expected error, share of the map's width and height


class PoseOutput(NamedTuple):
    """What every model says, and a record of its own that only its own losses and pictures read."""

    maps: Float[Tensor, "B J h w"]  # where joints are regressed, those that they began at
    F: Float[Tensor, "B T C h w"]
    regressed: Regressed | None = None
    own: Any = None


class Coordinates(NamedTuple):
    """Eq. 2-3: coordinates in map px, from the two coordinate heads."""

    R: Float[Tensor, "B T J 2"]
    R_interim: Float[Tensor, "B K I J 2"]
