"""Settings of the backbone `vitpose`."""

from typing import Literal

from tips.config.parts import Count, Part, Size
from tips.models.backbones.timm_settings import Timm


class Arch(Part):
    """Sizes of the transformer; null keeps the published one."""

    embed_dim: Size | None = None
    depth: Count | None = None
    num_heads: Count | None = None


class Settings(Timm):
    """A vision transformer of timm; `arch` overrides its sizes, and null keeps them all."""

    kind: Literal["vitpose"]
    arch: Arch | None = None
