"""Settings of the interim generator `vfit`."""

from typing import Literal

from pydantic import model_validator

from tips.config.experiment import Training
from tips.config.parts import Part, Size


class Settings(Part):
    """VFIT's size, and either a checkpoint or how it is trained here."""

    size: Literal["base", "small", "tiny"]
    weights: str | None  # checkpoint; null: it is trained on frames of the dataset
    crop: Size = 64  # side of the square cuts that it is trained on, image px
    training: Training | None = None  # if this and `weights` are null, `vfit` is refused

    @model_validator(mode="after")
    def _one_origin(self) -> "Settings":
        if self.weights is not None and self.training is not None:
            raise ValueError("vfit has either weights or training; set one to null")
        return self
