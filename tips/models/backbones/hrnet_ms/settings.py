"""Settings of the backbone `hrnet_ms`."""

from typing import Literal

from tips.models.backbones.timm_settings import Timm


class Settings(Timm):
    """A network of timm; see the fields of `Timm`."""

    kind: Literal["hrnet_ms"]
