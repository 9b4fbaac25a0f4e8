"""HRNet, the paper's backbone."""

import json

from tips.config import Crop
from tips.models.backbones.hrnet.settings import Settings
from tips.models.backbones.timm_hrnet import TimmHRNet


def build(e: Settings, crop: Crop, autocast: bool, joints: int) -> TimmHRNet:
    """Builds the network for images of any size."""
    return TimmHRNet(e.name, json.loads(json.dumps(e.arch or {})), autocast, joints)
