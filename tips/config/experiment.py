"""Settings of a training that all kinds of model share; a kind's `settings.py` adds its own."""

from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from tips import kinds, skeleton
from tips.config.parts import MOST, Count, OfKind, Part, Positive, Size, Weight
from tips.skeleton import Skeleton

Parts = tuple[tuple[int, ...], ...]  # joint ids of each part group
FRAMES: Final = 100  # of a window


class Backbone(Part):
    """The single-frame feature extractor; each kind adds the settings of its network."""

    stride: ClassVar[int] = 4  # crop px per map px
    kind: str
    weights: str | None = None  # checkpoint that stage one starts from; null: fresh weights


class Encoder(Part):
    """An encoder of several layers; each kind adds its sizes."""

    kind: str
    layers: Count


class Crop(Part):
    """Height and width of the network's input, crop px."""

    height: Size
    width: Size

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

    Any model may weigh the common terms, those of `tips/losses/`; there a file's name is the key. A
    kind of model with terms of its own adds their keys.
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
        """Lists the keys that this model's `losses` may hold."""
        return [*cls.model_fields, *kinds.losses()]

    @property
    def common(self) -> dict[str, float]:
        """The weights of the common terms, those of `tips/losses/`."""
        return dict(self.__pydantic_extra__)


class Augmentation(Part):
    """Random changes of a window; all of its frames share them."""

    rotation: Weight  # standard deviation, degrees
    rotation_probability: Annotated[float, Field(ge=0, le=1)]
    scale: Annotated[float, Field(ge=0, lt=1)]  # standard deviation of the factor on the box
    flip_probability: Annotated[float, Field(ge=0, le=1)]


class Training(Part):
    """Training by Adam; the paper's schedule is `step`."""

    epochs: Positive
    batch: Size  # windows of one step
    accumulation: Positive  # steps between two updates of the weights
    learning_rate: Annotated[float, Field(gt=0)]
    sampling_rate_factor: Annotated[float, Field(gt=0)]  # on the rate of sampling offsets
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.0  # share of all steps in which the rate rises
    schedule: Literal["step", "cosine"] = "step"  # how the rate falls; cosine: to 0
    milestones: tuple[float, ...]  # of `step`: shares of all steps at which the rate is decayed
    decay: Annotated[float, Field(gt=0, lt=1)]  # of `step`: factor on the rate at each milestone
    windows_per_epoch: Positive | None  # null: every window once
    stills_per_epoch: Annotated[int, Field(ge=0, le=MOST)]  # one-frame scenes, for stage one
    checkpoint_every: Positive  # steps between two saved states
    log_every: Positive  # steps between two lines of the journal
    precision: Literal["auto", "fp32", "bf16"]  # of the backbone; everything else is fp32
    workers: Annotated[int, Field(ge=0, le=1000)]  # processes that load data; 0: the training's

    def meaning(self) -> dict[str, Any]:
        """Leaves out what only the other schedule reads."""
        found = super().meaning()
        if self.schedule == "cosine":
            found.pop("milestones", None)
            found.pop("decay")
        return found

    @field_validator("milestones")
    @classmethod
    def _shares(cls, milestones: tuple[float, ...]) -> tuple[float, ...]:
        if list(milestones) != sorted(milestones) or not all(0 < m < 1 for m in milestones):
            raise ValueError(
                f"milestones are rising shares of all steps in (0, 1); got {milestones}"
            )
        return milestones


class Experiment(Part):
    """The complete settings of one training. A changed `digest` means that it must run again.

    Each kind of model is a subclass. It adds the keys that its network and its losses read. The
    properties below tell the stages what they need to know of a kind.
    """

    first_stage: ClassVar[bool] = False  # whether it trains its own backbone
    learns: ClassVar[bool] = True  # whether there is anything to train
    # Whether it reads nothing of the pictures but a frozen backbone's features.
    from_features: ClassVar[bool] = True
    bodies: ClassVar[tuple[Skeleton, ...]] = (skeleton.POSETRACK, skeleton.JHMDB)  # known joints

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
        if window[-1] - window[0] >= FRAMES:
            raise ValueError(f"window must have at most {FRAMES} frames")
        if list(window) != list(range(window[0], window[-1] + 1)):
            raise ValueError(f"window must be consecutive frames; got {list(window)}")
        return window

    @property
    def t(self) -> int:
        """Position of frame t in the window."""
        return self.window.index(0)

    @property
    def map_size(self) -> tuple[int, int]:
        """Height and width of the backbone's maps, map px."""
        stride = self.backbone.stride
        return self.crop.height // stride, self.crop.width // stride

    @property
    def interim_frames(self) -> str | None:
        """The kind of generator whose interim frames the model looks at; None: it looks at none."""
        return None

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """The (alpha, beta) of Eq. 15 of every synthesized pose; empty without synthesis."""
        return ()

    @property
    def spectral_groups(self) -> int | None:
        """The number of part groups that it reads from the file of the rule `group`; None: none."""
        return None

    def groups(self, spectral: Path | None = None, body: Skeleton = skeleton.POSETRACK) -> Parts:
        """Resolves the model's part groups to joint ids; empty if it has none.

        Args:
            spectral: file that the rule `group` writes; needed if `spectral_groups` is not None.
            body: the dataset's joints.

        Raises:
            ValueError: if the file holds no partition, or the joints have no such groups.
        """
        return ()

    def with_any_groups(self) -> "Experiment":
        """Replaces groups that are not yet found in the data by others of the same number.

        A step of the result takes as long, which is all that plans need.
        """
        return self

    @property
    def weights(self) -> dict[str, float]:
        """The complete weight of every loss term that is built, by name; all are above 0."""
        return {name: weight for name, weight in self.losses.common.items() if weight}

    def modules(self) -> list[str]:
        """Names every module that is imported only for a training like this one."""
        common = kinds.losses()
        terms = [common[name] for name in self.losses.common if self.losses.common[name]]
        return [*kinds.parts(kinds.MODEL, self.model), *super().modules(), *terms]

    def meaning(self) -> dict[str, Any]:
        """Gives the settings that this training reads; of the losses, those that it builds."""
        found = super().meaning() | {"losses": self.weights}
        found.pop("title", None)  # an empty title is absent already
        if not self.first_stage:
            found["backbone"].pop("weights", None)
        return found
