"""Single-frame feature extractors; each folder is one kind."""

from typing import Any

from tips import kinds, skeleton
from tips.config.experiment import Experiment


def build_backbone(e: Experiment, autocast: bool = False, joints: int = skeleton.COUNT) -> Any:
    """Builds the backbone that an experiment describes, with fresh weights.

    Args:
        e: the experiment; its crop is the size of the images.
        autocast: whether it runs in bfloat16.
        joints: J, the number of heat maps that its own head gives.
    """
    network = kinds.load(kinds.BACKBONE, e.backbone.kind, "network")
    return network.build(e.backbone, e.crop, autocast, joints)
