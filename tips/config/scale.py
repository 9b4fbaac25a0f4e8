"""What one scale is: its dataset, boxes, seeds, and what it changes in every experiment."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tips import kinds, skeleton
from tips.config.embedded import Embedded, Split
from tips.config.parts import Part, Positive, SettingsOf


class Detector(Part):
    """A simulated detector: jitter of the true boxes, misses, false boxes with scores."""

    jitter: Annotated[float, Field(ge=0)]  # sd of centre and log-size, in box sizes
    miss: Annotated[float, Field(ge=0, le=1)]
    false_per_frame: Annotated[float, Field(ge=0)]
    seed: int


class Frames(Part):
    """Frame positions [first, last] of a split cut from one sequence."""

    train: tuple[int, int]
    val: tuple[int, int]


Release = Literal["posetrack17", "posetrack18", "posetrack21", "jhmdb"]


class Dataset(Part):
    """Where frames and labels come from, and how they lie on disk."""

    kind: Literal["embedded", "posetrack17", "posetrack18", "posetrack21", "jhmdb"]
    name: str | None  # null: the name of the root's folder
    root: str | None  # null: made by the DAG (embedded), or given by --config root=...
    annotations: str  # folder of the per-sequence label files, relative to the root
    frames: Literal["packed", "files"]  # packed: decoded once into memory maps
    split: Frames | None  # null: the folders train and val
    embedded: Embedded | None
    # The published set that this is: its archives below the root are unpacked, its counts and its
    # licence looked up. Null: a folder as it is.
    release: Release | None = None
    fold: Literal[1, 2, 3] | None = None  # of JHMDB's three splits

    @model_validator(mode="after")
    def _complete(self) -> "Dataset":
        if (self.kind == "embedded") != (self.embedded is not None):
            raise ValueError("`embedded` settings are given exactly when kind is `embedded`")
        if (self.kind == "jhmdb") != (self.fold is not None):
            raise ValueError("`fold` (1, 2 or 3) is given exactly when kind is `jhmdb`")
        return self

    @property
    def metric(self) -> Literal["AP", "PCK"]:
        """What its benchmark counts: PoseTrack's AP, or JHMDB's PCK."""
        return "PCK" if self.kind == "jhmdb" else "AP"

    @property
    def body(self) -> skeleton.Skeleton:
        """The joints that this dataset labels."""
        return skeleton.JHMDB if self.kind == "jhmdb" else skeleton.POSETRACK


class Evaluation(Part):
    """Decoding and scoring, every switch that moves a number."""

    boxes: Literal["gt", "detected"]  # of the ablation tables
    other_rows: tuple[str, ...]  # variants that are also scored on the other boxes
    # Where detected boxes come from, one of three; files are relative to the dataset's root.
    detections: str | None  # json of boxes
    checkpoint: str | None  # weights of torchvision's fasterrcnn_resnet50_fpn_v2
    detector: Detector | None  # simulated
    threshold: Annotated[float, Field(ge=0, le=1)]  # least score of a detected box
    enlarge: Annotated[float, Field(gt=0)]  # of a box before it is cropped
    flip_test: bool  # maps averaged with those of the mirrored crop
    # argmax; argmax + 0.25 px towards the larger neighbour; Taylor step on the smoothed log (DARK)
    decode: Literal["plain", "quarter", "dark"]
    product: bool  # joint score = peak x box score; otherwise the peak alone
    oks_area: Annotated[float, Field(gt=0)]  # area = factor * w * h of the true box
    resamples: Positive
    batch: Positive

    @model_validator(mode="after")
    def _one_source(self) -> "Evaluation":
        given = [n for n in ("detections", "checkpoint", "detector") if getattr(self, n)]
        if len(given) > 1:
            raise ValueError(f"detected boxes come from one source; got {' and '.join(given)}")
        return self

    @property
    def other_boxes(self) -> Literal["gt", "detected"]:
        """The boxes that are not `boxes`."""
        return "gt" if self.boxes == "detected" else "detected"


class Contract(Part):
    """What fixed the rendered data's difficulty, on data seeds other than the study's.

    Only the single-frame network was looked at: its AP, and its AP on frames that are not
    degraded (the head-room of any temporal model). No variant had been compared.
    """

    data_seed: int
    single_frame_ap: float
    undegraded_ap: float
    fixed: date


class Seeds(Part):
    """How many seeds each variant is trained with."""

    default: Positive
    more: dict[str, Positive]  # variant -> count
    shared_backbone: bool  # one stage-one backbone for all seeds


class Scale(Part):
    """One scale of the study (smoke, clip, desk, paper)."""

    name: str
    note: str  # printed at the top of every page
    contract: Contract | None = None
    dataset: Dataset
    evaluation: Evaluation
    seeds: Seeds
    rows: tuple[str, ...] | None  # null: every variant
    without: tuple[str, ...] = ()  # folders of experiments/ that are not read
    interim: tuple[str, ...]  # kinds of interim generators: those that are made and measured
    vfit: Annotated[Any, SettingsOf(kinds.INTERIM, "vfit")] = None
    group_counts: tuple[int, ...]
    pictures: Positive
    speed_repeats: Positive
    checkpointing: bool = False  # encoder layers are computed twice and held once
    experiment: dict[str, Any]  # laid over every experiment, below its own YAML
    # Laid over the experiments of one kind of model, above their own YAML.
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)
    variants: dict[str, dict[str, Any]]  # laid over one experiment, above all others

    @field_validator("interim")
    @classmethod
    def _known(cls, interim: tuple[str, ...]) -> tuple[str, ...]:
        known = kinds.homes(kinds.INTERIM)
        for name in interim:
            if name not in known:
                raise ValueError(f"unknown generator '{name}'{kinds.nearest(name, known)}")
        return interim

    @field_validator("models")
    @classmethod
    def _models(cls, models: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        known = kinds.homes(kinds.MODEL)
        for name in models:
            if name not in known:
                raise ValueError(f"unknown model '{name}'{kinds.nearest(name, known)}")
        return models

    @property
    def splits(self) -> tuple[Split, ...]:
        """The splits that the dataset has: stills are rendered for stage one alone."""
        embedded = self.dataset.embedded
        return ("train", "val", "stills") if embedded and embedded.stills else ("train", "val")
