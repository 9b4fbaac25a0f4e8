"""Settings of the backbone `hrnet`."""

from typing import Literal

from tips.models.backbones.timm_settings import HRNetArch, Timm


class Settings(Timm):
    """An HRNet of timm; `arch` overrides its sizes, and null keeps the published ones."""

    kind: Literal["hrnet"]
    arch: HRNetArch | None = None
