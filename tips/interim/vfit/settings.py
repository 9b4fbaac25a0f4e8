"""What the interim generator vfit is told."""

from typing import Literal

from pydantic import model_validator

from tips.config.experiment import Training
from tips.config.parts import Part, Positive


class Settings(Part):
    """VFIT's size, and a checkpoint or how it is trained here."""

    size: Literal["base", "small", "tiny"]
    weights: str | None  # null: trained on the dataset's own middle frames
    crop: Positive = 64  # of its training, px
    training: Training | None = None  # null as well: `vfit` is refused

    @model_validator(mode="after")
    def _one_origin(self) -> "Settings":
        if self.weights is not None and self.training is not None:
            raise ValueError("vfit has either weights or training; set one to null")
        return self
