"""Settings of a training of DCPose."""

from typing import Final, Literal

from pydantic import field_validator

from tips.config.experiment import Experiment
from tips.config.parts import Count, Size
from tips.models.baselines.shared_settings import Start, only

WINDOW: Final = (-1, 0, 1)


class Settings(Experiment):
    """One training of DCPose."""

    model: Literal["dcpose"]
    width: Size  # channels of the guide, which the correction's offsets are read from
    blocks: Count  # residual steps blocks in each of the two longer chains
    head: Start

    @field_validator("window")
    @classmethod
    def _published(cls, window: tuple[int, ...]) -> tuple[int, ...]:
        return only(window, WINDOW, "dcpose")
