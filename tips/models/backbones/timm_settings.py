"""Settings that all backbones built by timm share, and the parts of timm's table of HRNets.

They are all that an experiment, or a run that a stranger hands over, can say to timm: sizes. timm's
own arguments would also take addresses and files, which are read while a network is built.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from tips.config.experiment import Backbone
from tips.config.parts import Part, Size

Few = Annotated[int, Field(gt=0, le=16)]


class Timm(Backbone):
    """A network of timm; each kind adds `arch`, the sizes that it may override."""

    name: Annotated[str, Field(pattern=r"^\w+$")]


class Stage(Part):
    """One stage of an HRNet, from the finest branch to the coarsest."""

    num_modules: Few
    num_branches: Few
    block_type: Literal["BASIC", "BOTTLENECK"]
    num_blocks: Annotated[tuple[Few, ...], Field(max_length=4)]
    num_channels: Annotated[tuple[Size, ...], Field(max_length=4)]
    fuse_method: Literal["SUM"]


class HRNetArch(Part):
    """Entries of timm's table that are overridden; null keeps the published one."""

    stem_width: Size | None = None
    stage1: Stage | None = None
    stage2: Stage | None = None
    stage3: Stage | None = None
    stage4: Stage | None = None


def given(arch: Part | None) -> dict[str, Any]:
    """Gives what overrides the published network, as timm takes it."""
    return {} if arch is None else arch.model_dump(mode="json", exclude_none=True)
