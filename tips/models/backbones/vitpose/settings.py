"""Settings of the backbone `vitpose`."""

from typing import Literal

from tips.models.backbones.timm_settings import Timm


class Settings(Timm):
    """A network of timm; see the fields of `Timm`."""

    kind: Literal["vitpose"]
