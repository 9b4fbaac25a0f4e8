"""ViTPose through timm, behind the backbone interface (ours-ViT of Tables VIII-X)."""

from collections.abc import Mapping
from typing import Any

import timm
from jaxtyping import Float
from timm.layers import resample_abs_pos_embed
from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from tips import skeleton
from tips.checkpoints import COCO, COUNTER, Published, Shapes, as_is
from tips.config import Crop
from tips.models.backbones._timm import create
from tips.models.backbones.timm_settings import given
from tips.models.backbones.vitpose.settings import Settings
from tips.models.interfaces import Backbone

PATCH = 16
GRID = (16, 12)  # patches, height and width, of the published checkpoints' 256 x 192 images
WIDTH = 48  # channels of F, as many as HRNet-W48 gives


class ViTPose(Backbone):
    """Images -> F: a plain vision transformer whose last map is enlarged four times, 48 channels.

    Args:
        name: timm's name of the transformer.
        arch: arguments for timm, for small networks; null keeps the published one.
        size: height and width of the images, image px; the network takes no other size.
        autocast: whether it runs in bfloat16.
        joints: J, the number of heat maps.

    Raises:
        ValueError: if timm has no such network, or if it is no plain vision transformer.
    """

    # Paper: how ViTPose's features enter is unstated; here: the simple decoder of ViTPose with 48
    # outputs, because its 0.55 M parameters fit Table VIII.
    def __init__(
        self,
        name: str,
        arch: Mapping[str, Any] | None,
        size: tuple[int, int],
        autocast: bool,
        joints: int = skeleton.COUNT,
    ) -> None:
        super().__init__()
        if not timm.is_model(name):
            raise ValueError(
                f"backbone.name: timm has no network '{name}'; timm.list_models() names its own"
            )
        self.net = create(
            name,
            arch,
            patch_size=PATCH,
            img_size=size,
            class_token=False,
            global_pool="",
            num_classes=0,
        )
        if not isinstance(self.net, VisionTransformer):
            raise ValueError(f"backbone.name: '{name}' is no plain vision transformer; name a vit_")
        self.net.patch_embed.proj.padding = (2, 2)  # as published
        self.channels = WIDTH
        self.unused = decoders(self.net.embed_dim)
        self.neck = nn.Sequential(
            nn.Upsample(
                scale_factor=PATCH // Settings.stride, mode="bilinear", align_corners=False
            ),
            nn.ReLU(),
            nn.Conv2d(self.net.embed_dim, WIDTH, 3, padding=1, bias=False),
            nn.BatchNorm2d(WIDTH),
            nn.ReLU(inplace=True),
        )
        self.final_layer = nn.Conv2d(WIDTH, joints, 1)
        self.autocast = autocast

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C H/4 W/4"]:
        """Computes F from normalised RGB images of the size that the constructor was given."""
        height, width = images.shape[-2] // PATCH, images.shape[-1] // PATCH
        with self.precision(images):
            tokens: Tensor = self.net.forward_features(images)
            maps = tokens.transpose(1, 2).unflatten(2, (height, width))
            features: Tensor = self.neck(maps)
        return features.float().contiguous()

    def published(self) -> Mapping[str, Published]:
        """Says where the tensors of the published transformer belong.

        The published decoders are not read; they are listed in `unused`.
        """
        found = {}
        for key, value in self.net.state_dict().items():
            name = key.replace("norm.", "last_norm.") if key.startswith("norm.") else key
            found[f"backbone.{name}"] = Published(f"net.{key}", tuple(value.shape), as_is)
        tokens = 1 + GRID[0] * GRID[1]
        position = Published("net.pos_embed", (1, tokens, self.net.embed_dim), self._positions)
        return found | {"backbone.pos_embed": position}

    def _positions(self, published: Tensor) -> Tensor:
        """Converts published position embeddings to this network's grid of patches.

        ViTPose adds the class token's embedding to that of every patch; this does it once.
        """
        merged = published[:, 1:] + published[:, :1]
        size = list(self.net.patch_embed.grid_size)
        return resample_abs_pos_embed(merged, size, list(GRID), num_prefix_tokens=0)


def decoders(width: int) -> tuple[Shapes, Shapes]:
    """Gives names and shapes of the two published decoders, the simple and the classic one.

    They lie in the published files beside the transformer, whose tokens have `width` channels.
    """
    joints, inside = len(COCO), 256
    simple: dict[str, tuple[int, ...]] = {
        "final_layer.weight": (joints, width, 3, 3),
        "final_layer.bias": (joints,),
    }
    classic: dict[str, tuple[int, ...]] = {
        "deconv_layers.0.weight": (width, inside, 4, 4),
        "deconv_layers.3.weight": (inside, inside, 4, 4),
        "final_layer.weight": (joints, inside, 1, 1),
        "final_layer.bias": (joints,),
    }
    for norm in (1, 4):
        for part in ("weight", "bias", "running_mean", "running_var"):
            classic[f"deconv_layers.{norm}.{part}"] = (inside,)
        classic[f"deconv_layers.{norm}.{COUNTER}"] = ()
    return _under_head(simple), _under_head(classic)


def _under_head(shapes: Shapes) -> Shapes:
    return {f"keypoint_head.{name}": shape for name, shape in shapes.items()}


def build(e: Settings, crop: Crop, autocast: bool, joints: int) -> ViTPose:
    """Builds the network.

    Args:
        e: the backbone's settings.
        crop: size of the images; the network takes no other one.
        autocast: whether it runs in bfloat16.
        joints: J, the number of heat maps that its own head gives.
    """
    size = (crop.height, crop.width)
    return ViTPose(e.name, given(e.arch), size, autocast, joints)
