"""Named tuples of tensors that several folders use.

B is the batch, T the frames of a window, I = T - 1 its intervals, K the synthesized poses of an
interval, J = 15 the joints, N the part groups, C and D channels. H W or h w is the size of that
tensor.

Words: an *interim frame* is the image that an interim generator makes between two frames. A
*synthesized pose* is the pose that a model computes between two frames. A *true in-between frame*
is the image between two frames that only a renderer knows.
"""

from typing import Any, NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor


class Window(NamedTuple):
    """A batch of person windows, the input of a model. Images are normalised RGB."""

    images: Float[Tensor, "B T 3 H W"]
    rough: Float[Tensor, "B _i 3 H W"]  # interim frames; T - 1 of them, or 0 if none is looked at


class Seen(NamedTuple):
    """What a frozen backbone sees in a window: all that a second stage needs of the pictures."""

    F: Float[Tensor, "B T C h w"]  # features of the frames
    F_rough: Float[Tensor, "B _i C h w"]  # of the interim frames; T - 1 of them, or 0
    # Finest maps of the backbone's earlier stages, (B, T, C', h, w) each, for a model that reads
    # them; else there is none.
    stages: tuple[Tensor, ...] = ()


class Target(NamedTuple):
    """The labels of frame t, which the losses compare a prediction with."""

    maps: Float[Tensor, "B J h w"]  # Gaussian heat maps, peak 1
    joints: Float[Tensor, "B J 2"]  # map px, x then y, not rounded
    weights: Float[Tensor, "B J"]  # 1 if annotated and inside the crop, else 0
    padded: Bool[Tensor, "B T-1"]  # whether the interval touches a repeated frame at a clip's end


class Regressed(NamedTuple):
    """Joints that a model regresses instead of reading them from maps."""

    joints: Float[Tensor, "B J 2"]  # map px, x then y
    spread: Float[Tensor, "B J 2"]  # expected error as a share of the map's width and height


class PoseOutput(NamedTuple):
    """The result of every model."""

    maps: Float[Tensor, "B J h w"]  # heat maps; if joints are regressed, those that are corrected
    F: Float[Tensor, "B T C h w"]  # the backbone's features of all frames
    regressed: Regressed | None = None
    own: Any = None  # the model's own record, which only its own losses and pictures read


class Coordinates(NamedTuple):
    """Eq. 2-3: coordinates in map px, x then y, from the two coordinate heads."""

    R: Float[Tensor, "B T J 2"]  # of the frames
    R_interim: Float[Tensor, "B K I J 2"]  # of the synthesized poses
