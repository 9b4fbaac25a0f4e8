"""What one training is, whatever its kind of model; the kind's `settings.py` says the rest."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from tips import kinds, skeleton
from tips.config.parts import OfKind, Part, Positive, Weight
from tips.skeleton import Skeleton

Parts = tuple[tuple[int, ...], ...]  # joint ids of each part group


class Backbone(Part):
    """The single-frame feature extractor; each kind adds what describes its network."""

    stride: ClassVar[int] = 4  # image px per map px
    kind: str
    weights: str | None = None  # checkpoint to start stage one from; null builds offline


class Encoder(Part):
    """One encoder stack; each kind adds its sizes."""

    kind: str
    layers: Positive


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


class Losses(Part):
    """Weights of loss terms; a term of weight 0 is neither built nor run.

    Any model may weigh the terms of `tips/losses/`, one file each, the name of the key. A kind of
    model with terms of its own adds their keys.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Weight] = Field(init=False)

    @model_validator(mode="after")
    def _known(self) -> "Losses":
        for name in self.__pydantic_extra__:
            if name not in kinds.losses():
                raise ValueError(f"unknown loss '{name}'{kinds.nearest(name, self.keys())}")
        return self

    @classmethod
    def keys(cls) -> list[str]:
        """All keys that this model's `losses` may hold."""
        return [*cls.model_fields, *kinds.losses()]

    @property
    def common(self) -> dict[str, float]:
        """Weights of the terms of `tips/losses/`."""
        return dict(self.__pydantic_extra__)


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


class Experiment(Part):
    """One training, complete. `digest` of it decides what must be retrained.

    A kind of model is a subclass: it adds the keys that its network and its losses read, and says
    through the properties below what a stage must know of it.
    """

    first_stage: ClassVar[bool] = False  # trains its backbone instead of building on one
    bodies: ClassVar[tuple[Skeleton, ...]] = (skeleton.POSETRACK, skeleton.JHMDB)  # it can learn

    title: str
    model: str
    # Paper: "the length of temporal window is 4" (V-B); here: 5 frames, 4 intervals, because
    # section IV-A and Table VI say {-2, ..., 2}.
    window: tuple[int, ...]
    crop: Crop
    backbone: Annotated[Backbone, OfKind(kinds.BACKBONE)]
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

    @property
    def t(self) -> int:
        """Position of frame t in the window."""
        return self.window.index(0)

    @property
    def map_size(self) -> tuple[int, int]:
        """Height and width of the backbone's maps, px."""
        stride = self.backbone.stride
        return self.crop.height // stride, self.crop.width // stride

    @property
    def interim_frames(self) -> str | None:
        """The generator of the interim frames that the model looks at; None: it sees none."""
        return None

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The (alpha, beta) of Eq. 15 of every synthesized pose; empty without synthesis."""
        return ()

    @property
    def spectral_groups(self) -> int | None:
        """How many data-driven part groups it reads from the file that the rule `group` writes."""
        return None

    def groups(self, spectral: Path | None = None, body: Skeleton = skeleton.POSETRACK) -> Parts:
        """Resolves the model's part groups to joint ids; empty where it has none.

        Args:
            spectral: file of data-driven groups, where `spectral_groups` asks for it.
            body: the dataset's joints.

        Raises:
            ValueError: the file holds no partition, or the joints have no such groups.
        """
        return ()

    def with_any_groups(self) -> "Experiment":
        """The same training with listed groups in place of data-driven ones: as long a step."""
        return self

    @property
    def weights(self) -> dict[str, float]:
        """Complete weight of every loss term that is built, above 0, by the term's name."""
        return {name: weight for name, weight in self.losses.common.items() if weight}

    def modules(self) -> list[str]:
        """Names every module that is imported only for a training like this one."""
        common = kinds.losses()
        terms = [common[name] for name in self.losses.common if self.losses.common[name]]
        return [*kinds.parts(kinds.MODEL, self.model), *super().modules(), *terms]

    def meaning(self) -> dict[str, Any]:
        """Gives what of the configuration this training reads: of the losses, those it builds."""
        found = super().meaning() | {"losses": self.weights}
        found.pop("title", None)  # which is absent already where it is empty
        if not self.first_stage:
            found["backbone"].pop("weights", None)
        return found
