"""TIPS: Fig. 2 in order, and how its parts are put together."""

from jaxtyping import Float
from torch import Tensor, nn

from tips.config import ConfigError, Parts
from tips.models.encoders import build_encoder
from tips.models.heads import START, Fusion, HeatmapHead
from tips.models.interfaces import Backbone, SecondStage
from tips.models.tips.coordinates import CoordinateHeads, NoCoordinates
from tips.models.tips.distiller import NoDistillation, PoseDistiller
from tips.models.tips.record import Inside
from tips.models.tips.settings import Settings
from tips.models.tips.synthesizer import FromFeatures, FromImages, NoSynthesis, PoseSynthesizer
from tips.tensors import Coordinates, PoseOutput, Seen


class Tips(SecondStage):
    """Backbone, synthesizer, fusion, distiller and head.

    A part that a variant lacks is a null object, which does nothing.

    Args:
        backbone: frozen.
        synthesizer: F (B, T, C, h, w) and features of the interim frames -> F' (B, K I, D, h, w).
        fuse: F and F' -> z (B, D, h, w).
        distiller: z and heat maps -> `Distilled`.
        start: F_t and backbone -> the heat maps that the heads correct (B, J, h, w).
        head: z~, F_t and heat maps -> the final heat maps (B, J, h, w).
        coordinate_heads: the heads of Eq. 2.
        t: position of frame t in the window.
        groups: joint ids of each of the distiller's part groups.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        synthesizer: nn.Module,
        fuse: nn.Module,
        distiller: nn.Module,
        start: nn.Module,
        head: nn.Module,
        coordinate_heads: CoordinateHeads | NoCoordinates,
        t: int,
        groups: Parts,
    ) -> None:
        super().__init__(backbone, t)
        self.groups = groups
        self.synthesizer = synthesizer
        self.fuse = fuse
        self.distiller = distiller
        self.start = start
        self.head = head
        self.coordinate_heads = coordinate_heads

    def estimate(self, seen: Seen) -> PoseOutput:
        """Estimates the heat maps of frame t."""
        F = seen.F
        F_interim = self.synthesizer(F, seen.F_rough)  # Fig. 2b, Eq. 1
        z = self.fuse(F, F_interim)  # Fig. 2c
        start = self.start(F[:, self.t], self.backbone)
        z_tilde, z_i, group_maps = self.distiller(z, start)
        maps = self.head(z_tilde, F[:, self.t], start)  # Fig. 2d
        return PoseOutput(maps, F, own=Inside(F_interim, z, z_i, group_maps, z_tilde))

    def start_from_backbone(self) -> None:
        """Copies the backbone's heat-map head, sharpened, into C_real."""
        heads: CoordinateHeads | NoCoordinates = self.coordinate_heads
        heads.start_from(self.backbone.final_layer)

    def coordinates(self, output: PoseOutput) -> Coordinates:
        """Computes Eq. 2 in map px. It is never called at inference."""
        coordinates: Coordinates = self.coordinate_heads(output, self.t)
        return coordinates

    def rough_coordinates(self, seen: Seen) -> Float[Tensor, "B _i J 2"]:
        """Reads poses directly from the interim frames, as C_real reads them from frames."""
        found: Tensor = self.coordinate_heads.read(seen.F_rough)
        return found


def build(e: Settings, backbone: Backbone, groups: Parts) -> Tips:
    """Builds TIPS with fresh weights; absent parts of the configuration become null objects.

    Args:
        e: the experiment's settings.
        backbone: frozen from here on.
        groups: joint ids of each part group; empty without distillation.

    Raises:
        ConfigError: if there are more or fewer groups than the settings say.
    """
    synthesizer, coordinate_heads = _synthesis(e, backbone.channels)
    maps = len(e.points) * (len(e.window) - 1)
    channels = len(e.window) * backbone.channels + maps * e.width
    return Tips(
        backbone=backbone,
        synthesizer=synthesizer,
        fuse=Fusion(channels, e.width, e.fusion.blocks, e.fusion.expansion),
        distiller=_distiller(e, groups),
        start=START[e.head.start](),
        head=HeatmapHead(backbone.channels, e.width, build_encoder(e.head.encoder, e.width)),
        coordinate_heads=coordinate_heads,
        t=e.t,
        groups=groups,
    )


def _synthesis(e: Settings, channels: int) -> tuple[nn.Module, CoordinateHeads | NoCoordinates]:
    if e.synthesis is None:
        return NoSynthesis(e.width), NoCoordinates()
    count = len(e.points)
    encoder = build_encoder(e.synthesis.encoder, e.width)
    looks = e.interim_frames is not None
    rough = FromImages() if looks else FromFeatures(channels, e.width, e.blocks)
    synthesizer = PoseSynthesizer(rough, channels, e.width, count, encoder)
    return synthesizer, CoordinateHeads(channels, e.width, e.blocks, count)


def _distiller(e: Settings, groups: Parts) -> nn.Module:
    if e.distillation is None:
        return NoDistillation()
    if len(groups) != e.distillation.groups.count:
        raise ConfigError(
            f"distillation.groups.count is {e.distillation.groups.count}, "
            f"but {len(groups)} groups were given"
        )
    encoders = [build_encoder(e.distillation.encoder, e.width) for _ in groups]
    return PoseDistiller(e.width, groups, encoders, e.blocks)
