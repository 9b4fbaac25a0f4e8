"""Small networks, and what moves them off their start."""

import torch
from torch import Tensor, nn

from tips.config import Experiment
from tips.models.backbones.timm_hrnet import TimmHRNet
from tips.models.interfaces import Backbone

ARCH = {
    "stem_width": 8,
    **{
        f"stage{n}": {
            "num_modules": 1,
            "num_branches": n,
            "block_type": "BOTTLENECK" if n == 1 else "BASIC",
            "num_blocks": [1] * n,
            "num_channels": [8, 16, 32, 64][:n],
            "fuse_method": "SUM",
        }
        for n in (1, 2, 3, 4)
    },
}


def small_hrnet() -> TimmHRNet:
    return TimmHRNet("hrnet_w18_small", ARCH, autocast=False)


def official(backbone: Backbone) -> dict[str, Tensor]:
    """A state dict as the official code would write it, other values than `backbone` has."""
    draw = torch.Generator().manual_seed(3)
    state = {
        name: torch.rand(one.shape, generator=draw) for name, one in backbone.published().items()
    }
    return {
        name: torch.tensor(7) if name.endswith("num_batches_tracked") else value
        for name, value in state.items()
    }


def shaken(module: nn.Module) -> nn.Module:
    """Moves every parameter off its start, batch norms' statistics too."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
    return module.eval()


def changed(experiment: Experiment, **values: object) -> Experiment:
    """The experiment with other values, checked as one from a file is."""
    return type(experiment).model_validate(experiment.model_dump() | values)


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
