"""What the models of other papers share: a frozen backbone, heat maps, nothing synthesized."""

from jaxtyping import Float
from torch import Tensor, nn

from tips.models.coordinates import NoCoordinates
from tips.models.interfaces import Backbone, SecondStage
from tips.tensors import Coordinates, PoseOutput


class Rival(SecondStage):
    """A second stage without synthesis and part groups.

    Args:
        backbone: frozen, like everyone's.
        start: what the predicted heat maps begin at, as for TIPS.
        t: position of frame t in the window.
    """

    def __init__(self, backbone: Backbone, start: nn.Module, t: int) -> None:
        super().__init__(backbone, t)
        self.start = start
        self.coordinate_heads = NoCoordinates()

    def answer(
        self,
        maps: Float[Tensor, "B J h w"],
        F: Float[Tensor, "B T C h w"],
        z: Float[Tensor, "B D h w"],
        z_tilde: Float[Tensor, "B D h w"] | None = None,
    ) -> PoseOutput:
        """Fills in what a rival does not compute: no map between frames, no part group."""
        z_tilde = z if z_tilde is None else z_tilde
        nothing, none = z[:, None][:, :0], maps.new_zeros(len(maps), 0, 2)
        return PoseOutput(maps, (), F, nothing, z, nothing, z_tilde, none, none)

    def coordinates(self, output: PoseOutput) -> Coordinates:
        """Returns empty coordinates: no pose is synthesized."""
        coordinates: Coordinates = self.coordinate_heads(output)
        return coordinates
