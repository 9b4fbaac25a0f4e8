"""What one training is: frozen, every key known, every value stated by experiments/tips.yaml."""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tips import skeleton

Positive = Annotated[int, Field(gt=0)]
Generator = Literal["average", "flow", "vfit", "true"]  # of interim frames
Weight = Annotated[float, Field(ge=0)]


class Part(BaseModel):
    """Base of every part of the configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Backbone(Part):
    """The single-frame feature extractor. `arch` overrides timm's table for small networks."""

    kind: Literal["hrnet", "hrnet_ms", "vitpose"]
    name: str
    arch: dict[str, object] | None
    weights: str | None  # checkpoint to start stage one from; null builds offline


class Crop(Part):
    """The network's input, px."""

    height: Positive
    width: Positive

    @field_validator("height", "width")
    @classmethod
    def _divisible(cls, value: int) -> int:
        if value % 32:
            raise ValueError(
                f"must be divisible by 32, the backbone's coarsest stride; got {value}"
            )
        return value


class Encoder(Part):
    """One encoder stack: deformable transformer layers, or deformable convolution blocks."""

    kind: Literal["transformer", "conv"]
    layers: Positive
    heads: Positive
    points: Positive
    feedforward: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]


class Synthesis(Part):
    """Pose synthesizer, Eq. 1. `points` are the (alpha, beta) of Eq. 15, one map each."""

    points: tuple[tuple[float, float], ...] = Field(min_length=1)
    encoder: Encoder

    @field_validator("points")
    @classmethod
    def _on_the_line(
        cls, points: tuple[tuple[float, float], ...]
    ) -> tuple[tuple[float, float], ...]:
        for alpha, beta in points:
            if not math.isclose(alpha + beta, 2.0) or min(alpha, beta) < 0:
                raise ValueError(
                    f"alpha + beta must be 2 with both in [0, 2] (Eq. 15); got [{alpha}, {beta}]"
                )
        return points


class Groups(Part):
    """Part groups: Table V's, or those that spectral clustering finds, or a list of joint names."""

    source: Literal["published", "spectral", "listed"]
    count: Positive
    parts: tuple[tuple[str, ...], ...] | None = None

    @model_validator(mode="after")
    def _known(self) -> "Groups":
        if self.source == "published" and self.count not in skeleton.GROUPS:
            known = ", ".join(map(str, skeleton.GROUPS))
            raise ValueError(f"Table V has groups for N = {known}; got {self.count}")
        if (self.source == "listed") != (self.parts is not None):
            raise ValueError("`parts` is given exactly when source is `listed`")
        if self.parts is not None:
            partition(self.parts)
            if len(self.parts) != self.count:
                raise ValueError(f"count is {self.count}, but {len(self.parts)} groups are listed")
        return self


def partition(parts: tuple[tuple[str, ...], ...]) -> tuple[tuple[int, ...], ...]:
    """Joint names to ids. Raises ValueError unless every joint is in exactly one group."""
    names = [name for group in parts for name in group]
    for name in names:
        if name not in skeleton.INDEX:
            raise ValueError(f"unknown joint '{name}'; known: {', '.join(skeleton.JOINTS)}")
    twice = sorted({name for name in names if names.count(name) > 1})
    missing = [name for name in skeleton.JOINTS if name not in names]
    if twice or missing or not all(parts):
        raise ValueError(
            "groups must hold each of the 15 joints once and none may be empty; "
            f"twice: {', '.join(twice) or 'none'}; missing: {', '.join(missing) or 'none'}"
        )
    return tuple(tuple(skeleton.INDEX[name] for name in group) for group in parts)


class Distillation(Part):
    """Pose distillation, Fig. 2c: one encoder per part group and their aggregation."""

    groups: Groups
    encoder: Encoder


class Fusion(Part):
    """Frames and synthesized maps to z. `expansion` widens it for the capacity control."""

    blocks: Positive
    expansion: Positive


class Head(Part):
    """The final encoder and its heat maps; `start: backbone` begins at the backbone's own maps."""

    start: Literal["backbone", "scratch"]
    encoder: Encoder


class Losses(Part):
    """Weights of the terms of Eq. 4-15. A term of weight 0 is neither built nor run."""

    heatmap: Weight  # Eq. 6, both parts
    trajectory: Weight  # S_w of Eq. 4 / 15, inside gamma_s
    anchor: Weight  # 2 ||R^ - R|| of Eq. 5, inside gamma_s
    variety: Weight  # gamma_var
    complement: Weight  # gamma_com
    redundancy: Weight  # gamma_red
    synthesis: Weight  # gamma_s
    information: Weight  # gamma_info
    estimator: Literal["vsd", "fami_released"]
    red_level: Literal["label", "feature"]


class Augmentation(Part):
    """Shared by all frames of a window. Rotation in degrees is one standard deviation."""

    rotation: Weight
    rotation_probability: Annotated[float, Field(ge=0, le=1)]
    scale: Annotated[float, Field(ge=0, lt=1)]
    flip_probability: Annotated[float, Field(ge=0, le=1)]


class Training(Part):
    """Adam with the paper's step schedule, milestones as shares of all steps."""

    epochs: Positive
    batch: Positive
    accumulation: Positive
    learning_rate: Annotated[float, Field(gt=0)]
    sampling_rate_factor: Annotated[float, Field(gt=0)]  # Deformable DETR: offsets learn slower
    milestones: tuple[float, ...]
    decay: Annotated[float, Field(gt=0, lt=1)]
    windows_per_epoch: Positive | None  # null: every window once
    stills_per_epoch: Annotated[int, Field(ge=0)]  # one-frame scenes, stage one only
    checkpoint_every: Positive  # steps between saved states
    log_every: Positive
    precision: Literal["auto", "fp32", "bf16"]  # of the backbone; heads are fp32
    workers: Annotated[int, Field(ge=0)]

    @field_validator("milestones")
    @classmethod
    def _shares(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        if list(milestones) != sorted(milestones) or not all(0 < m < 1 for m in milestones):
            raise ValueError(
                f"milestones are rising shares of all steps in (0, 1); got {milestones}"
            )
        return milestones


def _but(part: type[Part], path: str, *read: str) -> tuple[str, ...]:
    return tuple(f"{path}.{key}" for key in part.model_fields if key not in read)


# Keys that a model does not look at, whatever its other keys say; a test compares with its builder.
# A model without a line looks at all of them.
UNREAD: dict[str, tuple[str, ...]] = {
    "single_frame": ("width", "blocks", "fusion", "head"),
    "dcpose": ("fusion", "head.encoder", *_but(Losses, "losses", "heatmap")),
    "posewarper": ("fusion", "head", *_but(Losses, "losses", "heatmap")),
    "fami_pose": (
        *("blocks", "fusion", "head.encoder"),
        *_but(Losses, "losses", "heatmap", "information", "complement", "redundancy", "estimator"),
    ),
    "tdmi": (
        *("blocks", "fusion", "head.encoder"),
        *_but(Losses, "losses", "heatmap", "information", "variety"),
    ),
    "dsta": (
        *("fusion", *_but(Encoder, "head.encoder", "dropout")),
        *_but(Losses, "losses", "heatmap"),
    ),
}


class Experiment(Part):
    """One training, complete. `digest` of it decides what must be retrained."""

    title: str
    model: Literal["tips", "single_frame", "dcpose", "posewarper", "fami_pose", "tdmi", "dsta"]
    # Paper: "the length of temporal window is 4" (V-B); here: 5 frames, 4 intervals, because
    # section IV-A and Table VI say {-2, ..., 2}.
    window: tuple[int, ...]
    crop: Crop
    backbone: Backbone
    width: Positive  # D, channels of every map behind the backbone
    blocks: Positive  # residual blocks of C (Eq. 2)
    interim: Literal[Generator, "features"]
    synthesis: Synthesis | None
    fusion: Fusion
    distillation: Distillation | None
    head: Head
    losses: Losses
    augmentation: Augmentation
    training: Training

    @field_validator("window")
    @classmethod
    def _consecutive(cls, window: tuple[int, ...]) -> tuple[int, ...]:
        if 0 not in window:
            raise ValueError(
                f"window must contain 0, the frame whose pose is estimated; got {list(window)}"
            )
        if list(window) != list(range(window[0], window[-1] + 1)):
            raise ValueError(f"window must be consecutive frames; got {list(window)}")
        return window

    @model_validator(mode="after")
    def _composes(self) -> "Experiment":
        if self.synthesis is not None and len(self.window) < 2:
            raise ValueError(f"synthesis needs two frames or more; window is {list(self.window)}")
        if self.model == "single_frame" and (
            self.synthesis or self.distillation or len(self.window) > 1
        ):
            raise ValueError(
                "model single_frame takes window [0], synthesis null, distillation null"
            )
        if self.model != "tips" and (self.synthesis or self.distillation):
            raise ValueError(
                f"model {self.model} has neither synthesis nor distillation: set both to null"
            )
        return self

    @property
    def rough_frames(self) -> bool:
        """Whether the model looks at interim frames; `features` builds on the window's alone."""
        return self.synthesis is not None and self.interim != "features"

    @property
    def unread(self) -> tuple[str, ...]:
        """Keys, dotted, that this model does not look at: changing one changes no training."""
        return (*UNREAD.get(self.model, ()), *(() if self.synthesis is not None else ("interim",)))

    @property
    def t(self) -> int:
        """Position of frame t in the window."""
        return self.window.index(0)
