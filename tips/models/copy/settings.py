"""Settings of the control that copies a neighbour's heat maps; nothing of it is trained."""

from typing import ClassVar, Literal

from tips.config.experiment import Experiment


class Settings(Experiment):
    """A window and a backbone."""

    learns: ClassVar[bool] = False

    model: Literal["copy"]
