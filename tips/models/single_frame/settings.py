"""Settings of a training of stage one: a backbone on frame t alone."""

from typing import ClassVar, Literal

from pydantic import field_validator

from tips.config.experiment import Experiment


class Settings(Experiment):
    """One training of a backbone and its own 1x1 head."""

    first_stage: ClassVar[bool] = True
    from_features: ClassVar[bool] = False

    model: Literal["single_frame"]

    @field_validator("window")
    @classmethod
    def _alone(cls, window: tuple[int, ...]) -> tuple[int, ...]:
        if window != (0,):
            raise ValueError(f"model single_frame takes window [0]; got {list(window)}")
        return window
