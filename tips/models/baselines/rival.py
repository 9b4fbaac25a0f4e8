"""What the models of other papers share: a frozen backbone, heat maps, nothing synthesized."""

from torch import nn

from tips.models.interfaces import Backbone, SecondStage


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
