"""Settings of a training of PoseWarper."""

from typing import Final, Literal

from pydantic import field_validator

from tips.config.experiment import Experiment
from tips.config.parts import Count, Size
from tips.models.baselines.shared_settings import only

WINDOW: Final = (-2, -1, 0, 1, 2)


class Settings(Experiment):
    """One training of PoseWarper."""

    model: Literal["posewarper"]
    width: Size  # channels of the offset features
    blocks: Count  # number of residual blocks of the offset features

    @field_validator("window")
    @classmethod
    def _published(cls, window: tuple[int, ...]) -> tuple[int, ...]:
        return only(window, WINDOW, "posewarper")
