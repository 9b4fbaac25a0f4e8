"""Settings of the encoder `transformer`."""

from typing import Annotated, Literal

from pydantic import Field

from tips.config.experiment import Encoder
from tips.config.parts import Positive


class Settings(Encoder):
    """Deformable transformer layers."""

    kind: Literal["transformer"]
    heads: Positive
    points: Positive
    feedforward: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]
