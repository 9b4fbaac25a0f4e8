"""Settings of the backbone `hrnet`."""

from typing import Literal

from tips.models.backbones.timm_settings import Timm


class Settings(Timm):
    """A network of timm; see the fields of `Timm`."""

    kind: Literal["hrnet"]
