"""The single-frame HRNet: stage one, and the first row of Tables II-IV and VI."""

from jaxtyping import Float
from torch import Tensor

from tips.config import Parts
from tips.models.interfaces import Backbone, PoseModel
from tips.models.single_frame.settings import Settings
from tips.tensors import PoseOutput


class SingleFrame(PoseModel):
    """A backbone and its own 1x1 heat-map head on frame t; all of it is trained."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(
        self, images: Float[Tensor, "B 1 3 H W"], rough: Float[Tensor, "B 0 3 H W"]
    ) -> PoseOutput:
        """Estimates heat maps from one frame."""
        F = self.backbone(images[:, 0])
        return PoseOutput(self.backbone.maps(F), F[:, None])


def build(e: Settings, backbone: Backbone, groups: Parts) -> SingleFrame:
    """Builds the model of stage one.

    Args:
        e: the experiment's settings; not read.
        backbone: is trained.
        groups: not read; the model has no part groups.
    """
    return SingleFrame(backbone)
