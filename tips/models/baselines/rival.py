"""What the models of other papers share: a frozen backbone, heat maps, no synthesized pose."""

from torch import nn

from tips.models.interfaces import Backbone, SecondStage


class Rival(SecondStage):
    """A second stage without synthesis and part groups.

    Args:
        backbone: frozen, as in every second stage.
        start: gives the heat maps that the model corrects, from F and the backbone, as for TIPS.
        t: position of frame t in the window.
    """

    def __init__(self, backbone: Backbone, start: nn.Module, t: int) -> None:
        super().__init__(backbone, t)
        self.start = start
