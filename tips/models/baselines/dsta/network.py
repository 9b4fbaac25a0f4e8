"""DSTA (He and Yang, CVPR 2024): joints regressed from tokens, in space and in time separately."""

import torch
from jaxtyping import Float
from timm.models.vision_transformer import Block
from torch import Tensor, nn

from tips import skeleton
from tips.config import Parts
from tips.models.baselines.dsta.settings import HEADS, Settings
from tips.models.baselines.rival import Rival
from tips.models.heads import START
from tips.models.interfaces import Backbone
from tips.ops.heatmap import Decoding, decode, sigma
from tips.tensors import PoseOutput, Regressed, Seen

MLP_RATIO = 2.0
PLANES = 8  # number of coarse maps that one joint's token is read from
COARSER = 8  # factor of three stride-2 convolutions: from the features' stride 4 to ResNet's 32
SURE = 0.99  # a peak's score is clipped to [1 - SURE, SURE], so that its logit stays finite
LIMBS = (  # joints of PoseTrack; a study of other joints refuses the model
    ("head_top", "nose", "head_bottom"),
    ("left_shoulder", "left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow", "right_wrist"),
    ("left_hip", "left_knee", "left_ankle"),
    ("right_hip", "right_knee", "right_ankle"),
)


class Tokens(nn.Module):
    """Features of single frames -> one token per joint.

    Args:
        channels: C, channels of the features.
        width: D, channels of a token.
        size: height and width of the features, map px, divisible by 8.
    """

    # Paper: DSTA pools ResNet-50's 2048 channels of stride 32 into one vector; its HRNet variant is
    # not released; here: stride-2 convolutions down to stride 32, 8 maps per joint, flattened and
    # not pooled, because the mean of 48 channels of stride 4 does not say where a joint is.
    def __init__(self, channels: int, width: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.coarse = nn.Sequential(
            *_halving(channels, 2 * width),
            *_halving(2 * width, 2 * width),
            *_halving(2 * width, skeleton.COUNT * PLANES),
        )
        cells = (size[0] // COARSER) * (size[1] // COARSER)
        self.read = nn.Linear(PLANES * cells, width)
        self.joints = nn.Parameter(0.02 * torch.randn(skeleton.COUNT, width))

    def forward(self, F: Float[Tensor, "N C H W"]) -> Float[Tensor, "N J D"]:
        """Reads the tokens of N frames."""
        coarse = self.coarse(F).unflatten(1, (skeleton.COUNT, PLANES))
        tokens: Tensor = self.read(coarse.flatten(2)) + self.joints
        return tokens


def _halving(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [
        nn.Conv2d(channels_in, channels_out, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    ]


class Decoder(nn.Module):
    """Pre-norm transformer blocks and a last norm, over N sets of K tokens (N, K, D).

    Args:
        width: D, channels of a token.
        blocks: number of transformer blocks.
        drop: rate of stochastic depth of the last block; it rises linearly from the first on.
    """

    def __init__(self, width: int, blocks: int, drop: float) -> None:
        super().__init__()
        rates = [drop * (i + 1) / blocks for i in range(blocks)]
        self.blocks = nn.Sequential(
            *(Block(width, HEADS, MLP_RATIO, qkv_bias=True, drop_path=rate) for rate in rates)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Float[Tensor, "N K D"]) -> Float[Tensor, "N K D"]:
        """Applies self-attention among the K tokens of each set; sets do not see each other."""
        met: Tensor = self.norm(self.blocks(tokens))
        return met


class References(nn.Module):
    """Reads the pose that the coordinates are corrections of, from the heat maps of the start."""

    # Paper: DSTA regresses from nothing; here: it corrects the peaks of the backbone's maps and
    # their values as scores where `head.start` is `backbone`, and its tokens know both, because
    # heat-map models begin there too. Maps without a peak, as from scratch, give the map's centre.
    def forward(
        self, maps: Float[Tensor, "N J H W"]
    ) -> tuple[Float[Tensor, "N J 2"], Float[Tensor, "N J"]]:
        """Reads one pose per frame.

        Returns:
            Joints in map px, x then y, and the logit of one minus the score of each.
        """
        peaks, scores = decode(maps, "quarter")
        found = scores > 0
        height, width = maps.shape[-2:]
        centre = maps.new_tensor([(width - 1) / 2, (height - 1) / 2])
        doubt = 1 - scores.clamp(1 - SURE, SURE)
        return torch.where(found[..., None], peaks, centre), torch.logit(doubt) * found


def _correction(width: int) -> nn.Sequential:
    """Builds a head whose output is zero at first, so that what it corrects starts unchanged."""
    layer = nn.Linear(width, 2)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return nn.Sequential(nn.LayerNorm(width), layer)


class Dsta(Rival):
    """One token per joint and frame, then two decoders side by side.

    The spatial decoder relates the joints of each limb within frame t. The temporal one relates
    the tokens of each joint over all frames. The pose is read from a weighted mean of both.

    Args:
        backbone: frozen.
        start: gives the heat maps whose peaks are corrected, from F and the backbone.
        t: position of frame t in the window.
        frames: T, number of frames of the window.
        size: height and width of a map, map px.
        width: D, channels of a token.
        blocks: number of transformer blocks of each decoder.
        drop: rate of the last block's stochastic depth.
    """

    def __init__(
        self,
        *,
        backbone: Backbone,
        start: nn.Module,
        t: int,
        frames: int,
        size: tuple[int, int],
        width: int,
        blocks: int,
        drop: float,
    ) -> None:
        super().__init__(backbone, start, t)
        self.tokens = Tokens(backbone.channels, width, size)
        self.references = References()
        self.place = nn.Linear(5, width)
        self.moments = nn.Parameter(0.02 * torch.randn(frames, width))
        self.spatial = Decoder(width, blocks, drop)
        self.temporal = Decoder(width, blocks, drop)
        self.mean = nn.Linear(2, 1)
        self.coordinate, self.spread = _correction(width), _correction(width)
        self.limbs = [skeleton.INDEX[name] for limb in LIMBS for name in limb]
        self.order = [self.limbs.index(joint) for joint in range(skeleton.COUNT)]

    def estimate(self, seen: Seen) -> PoseOutput:
        """Regresses the joints of frame t; interim frames are not read.

        The `maps` of the result are the heat maps whose peaks the joints are corrections of.
        """
        F = seen.F
        batch, flat = len(F), F.flatten(0, 1)
        maps = self.start(flat, self.backbone)
        joints, doubt = (part.unflatten(0, (batch, -1)) for part in self.references(maps))
        tokens = self.tokens(flat).unflatten(0, (batch, -1)) + self._placed(joints, doubt, maps)
        z = self.mean(torch.stack([self._in_time(tokens), self._in_space(tokens)], dim=-1))[..., 0]
        # The correction is in units of the heat maps' sigma. So one step of the optimizer moves a
        # joint as far as it moves the peak of a heat map in the other models.
        regressed = Regressed(
            joints=joints[:, self.t] + sigma(maps.shape[-2]) * self.coordinate(z),
            spread=torch.sigmoid(doubt[:, self.t, :, None] + self.spread(z)),
        )
        return PoseOutput(maps.unflatten(0, (batch, -1))[:, self.t], F, regressed)

    def _placed(
        self,
        joints: Float[Tensor, "B T J 2"],
        doubt: Float[Tensor, "B T J"],
        maps: Float[Tensor, "_ J H W"],
    ) -> Float[Tensor, "B T J D"]:
        """Embeds the start's pose: its place in the map, its distance to frame t's, its doubt.

        The place is a share of the map's size, the distance is in sigmas of a heat map.
        """
        height, width = maps.shape[-2:]
        place = joints / joints.new_tensor([width, height]) - 0.5
        apart = (joints - joints[:, self.t, None]) / sigma(height)
        placed: Tensor = self.place(torch.cat([place, apart, doubt[..., None]], dim=-1))
        return placed

    def _in_space(self, tokens: Float[Tensor, "B T J D"]) -> Float[Tensor, "B J D"]:
        """Applies self-attention among the joints of each limb, in frame t alone."""
        limbs = tokens[:, self.t, self.limbs].unflatten(1, (len(LIMBS), -1))
        met: Tensor = self.spatial(limbs.flatten(0, 1))
        return met.unflatten(0, (-1, len(LIMBS))).flatten(1, 2)[:, self.order]

    def _in_time(self, tokens: Float[Tensor, "B T J D"]) -> Float[Tensor, "B J D"]:
        """Applies self-attention among the frames of each joint; returns the tokens of frame t."""
        moments = (tokens + self.moments[:, None]).transpose(1, 2)
        met: Tensor = self.temporal(moments.flatten(0, 1))
        return met.unflatten(0, moments.shape[:2])[:, :, self.t]

    def decode(
        self, output: PoseOutput, how: Decoding
    ) -> tuple[Float[Tensor, "B J 2"], Float[Tensor, "B J"]]:
        """Gives the regressed joints, map px; `how` is not read, because there is no peak to find.

        A score is one minus the mean of the joint's spreads in x and y.
        """
        assert output.regressed is not None
        return output.regressed.joints, 1 - output.regressed.spread.mean(-1)


def build(e: Settings, backbone: Backbone, groups: Parts) -> Dsta:
    """Builds DSTA.

    Args:
        e: the experiment's settings.
        backbone: frozen from here on.
        groups: not read; DSTA has no part groups.
    """
    return Dsta(
        backbone=backbone,
        start=START[e.head.start](),
        t=e.t,
        frames=len(e.window),
        size=e.map_size,
        width=e.width,
        blocks=e.blocks,
        drop=e.drop,
    )
