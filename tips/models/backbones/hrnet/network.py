"""HRNet, the paper's backbone."""

from tips.config import Crop
from tips.models.backbones.hrnet.settings import Settings
from tips.models.backbones.timm_hrnet import TimmHRNet
from tips.models.backbones.timm_settings import given


def build(e: Settings, crop: Crop, autocast: bool, joints: int) -> TimmHRNet:
    """Builds the network.

    Args:
        e: the backbone's settings.
        crop: size of the images; not read, because HRNet takes any size.
        autocast: whether it runs in bfloat16.
        joints: J, the number of heat maps that its own head gives.
    """
    return TimmHRNet(e.name, given(e.arch), autocast, joints)
