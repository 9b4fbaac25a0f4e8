"""HRNets through timm, behind the backbone interface: what `hrnet` and `hrnet_ms` share."""

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from timm.models.hrnet import cfg_cls
from torch import Tensor, nn

from tips import skeleton
from tips.checkpoints import COCO, Published, as_is, posetrack_head
from tips.models.backbones._timm import create
from tips.models.interfaces import StagedBackbone


class TimmHRNet(StagedBackbone):
    """Images -> F, the branch of highest resolution; a 1x1 head of its own reads heat maps from F.

    The backbone `hrnet` is this class itself; `hrnet_ms` extends it.

    Args:
        name: timm's name of the network.
        arch: overrides of timm's architecture table, for small networks; null keeps it.
        autocast: whether it runs in bfloat16.
        joints: J, the number of heat maps; with COCO's 17 it is the published network.

    Raises:
        ValueError: if timm has no HRNet of this name, or if it cannot build the result.
    """

    outputs = 1  # number of branches of the last stage that are computed and returned

    def __init__(
        self,
        name: str,
        arch: Mapping[str, Any] | None,
        autocast: bool,
        joints: int = skeleton.COUNT,
    ) -> None:
        super().__init__()
        _check(name)
        wanted = tuple(range(1, self.outputs + 1))
        self.net = create(name, arch, features_only=True, feature_location="", out_indices=wanted)
        # The last fuse layer has one row per branch that it returns. The rows of branches that
        # nothing reads are dropped: they would be parameters that no loss ever trains.
        last = self.net.stage4[-1]
        last.fuse_layers = nn.ModuleList(last.fuse_layers[: self.outputs])
        self.channels: int = self.net.feature_info.channels()[0]
        norms = [m for m in self.net.layer1.modules() if isinstance(m, nn.BatchNorm2d)]
        later = [cfg["num_channels"][0] for cfg in (self.net.stage2_cfg, self.net.stage3_cfg)]
        self.stage_channels = (norms[-1].num_features, later[0], later[1], self.channels)
        self.final_layer = nn.Conv2d(self.channels, joints, 1)
        self.autocast = autocast
        # The memory format channels-last makes the convolutions a quarter faster on a CPU, with
        # and without bfloat16. This loop does what net.to(memory_format=...) does, because fake
        # tensors refuse that call.
        for parameter in self.net.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        nn.init.normal_(self.final_layer.weight, std=0.001)
        assert self.final_layer.bias is not None
        nn.init.zeros_(self.final_layer.bias)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C H/4 W/4"]:
        """Computes F from normalised RGB images whose height and width are divisible by 32."""
        with self.precision(images):
            features: Tensor = self.net(images.contiguous(memory_format=torch.channels_last))[0]
        return features.float().contiguous()

    def stages(self, images: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B _C H/4 W/4"]]:
        """Computes F as `forward` does, and also returns the finest branch of every earlier stage.

        Returns:
            The maps of stages 1 to 4, fine resolution each; the last one is F.
        """
        found: list[Tensor] = []

        def keep(stage: nn.Module, inputs: Any, output: Any) -> None:
            fine = output if isinstance(output, Tensor) else output[0]
            found.append(fine.float().contiguous())

        earlier = (self.net.layer1, self.net.stage2, self.net.stage3)
        hooks = [stage.register_forward_hook(keep) for stage in earlier]
        try:
            F = self(images)
        finally:
            for hook in hooks:
                hook.remove()
        return [*found, F]

    def published(self) -> Mapping[str, Published]:
        """Says where the tensors of the official pose checkpoint belong.

        Its head has COCO's 17 joints; it is taken as it is if this network has 17 as well, else
        it is converted to PoseTrack's joints.
        """
        head = as_is if self.final_layer.out_channels == len(COCO) else posetrack_head
        found = {}
        for key, value in self.state_dict().items():
            shape = tuple(value.shape)
            if key.startswith("final_layer."):
                found[key] = Published(key, (len(COCO), *shape[1:]), head)
            elif key.startswith("net."):
                found[key.removeprefix("net.")] = Published(key, shape, as_is)
        return found


def _check(name: str) -> None:
    """Refuses a wrong name with one line; timm itself answers with a traceback."""
    if name not in cfg_cls:
        raise ValueError(
            f"backbone.name: timm has no HRNet '{name}'; known: {', '.join(sorted(cfg_cls))}"
        )
