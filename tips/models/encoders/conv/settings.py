"""Settings of the encoder `conv`."""

from typing import Literal

from tips.config.experiment import Encoder


class Settings(Encoder):
    """Deformable convolution blocks, as many as there are layers."""

    kind: Literal["conv"]
