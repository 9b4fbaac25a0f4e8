"""Settings of the encoder `transformer`."""

from typing import Annotated, Literal

from pydantic import Field

from tips.config.experiment import Encoder
from tips.config.parts import Count, Size


class Settings(Encoder):
    """Deformable transformer layers."""

    kind: Literal["transformer"]
    heads: Count
    points: Count
    feedforward: Size
    dropout: Annotated[float, Field(ge=0, lt=1)]
