"""The single-frame HRNet: stage one, and the first row of Tables II-IV and VI."""

from jaxtyping import Float
from torch import Tensor

from tips import skeleton
from tips.models.interfaces import Backbone, PoseModel
from tips.tensors import Coordinates, PoseOutput


class SingleFrame(PoseModel):
    """A backbone and its own 1x1 heat-map head on frame t; trained whole."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(
        self, images: Float[Tensor, "B 1 3 H W"], rough: Float[Tensor, "B 0 3 H W"]
    ) -> PoseOutput:
        """Estimates heat maps from one frame."""
        F = self.backbone(images[:, 0])
        nothing, none = F[:, None][:, :0], F.new_zeros(len(F), 0, 2)
        maps = self.backbone.maps(F)
        return PoseOutput(maps, (), F[:, None], nothing, F, nothing, F, none, none)

    def coordinates(self, output: PoseOutput) -> Coordinates:
        """Returns empty coordinates: no pose is synthesized."""
        F = output.F
        return Coordinates(
            R=F.new_zeros(F.shape[0], 1, skeleton.COUNT, 2),
            R_interim=F.new_zeros(F.shape[0], 0, 0, skeleton.COUNT, 2),
        )
