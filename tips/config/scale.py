"""Settings of a scale: dataset, boxes, seeds, and what it changes in the experiments."""

from datetime import date
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from tips import kinds, skeleton
from tips.config.embedded import Embedded, Split
from tips.config.names import Name
from tips.config.parts import MOST, Part, Positive, SettingsOf


class Detector(Part):
    """A simulated detector: it jitters or misses true boxes and adds false ones."""

    jitter: Annotated[float, Field(ge=0, le=10)]  # sd of centre (box sizes) and log size
    miss: Annotated[float, Field(ge=0, le=1)]  # share of missed people
    false_per_frame: Annotated[float, Field(ge=0, le=1000)]  # mean number of false boxes
    seed: Annotated[int, Field(ge=0, le=MOST)]


class Frames(Part):
    """First and last frame position of each split, where splits are cut out of sequences."""

    train: tuple[int, int]
    val: tuple[int, int]

    @model_validator(mode="after")
    def _apart(self) -> "Frames":
        for name, (first, last) in self:
            if not 0 <= first <= last <= MOST:
                raise ValueError(f"{name} must be 0 <= first <= last; got [{first}, {last}]")
        if self.train[0] <= self.val[1] and self.val[0] <= self.train[1]:
            raise ValueError(
                f"train {list(self.train)} and val {list(self.val)} share frames; a network must "
                "not be trained on what it is scored on"
            )
        return self


Release = Literal["posetrack17", "posetrack18", "posetrack21", "jhmdb"]


class Dataset(Part):
    """Settings of the dataset: where frames and labels are, and in which form."""

    kind: Literal["embedded", "posetrack17", "posetrack18", "posetrack21", "jhmdb"]
    name: Name | None  # null: the name of the root's folder
    root: str | None  # null: the workflow makes the data (embedded), or the user gives the folder
    annotations: str  # folder of the label files, relative to the root
    frames: Literal["packed", "files"]  # packed: decoded once, then memory-mapped
    split: Frames | None  # null: splits are the folders train and val
    embedded: Embedded | None
    # The published dataset that this is. If given, its archives below the root are unpacked, and
    # its counts and licence are looked up. Null: the folder is used as it is.
    release: Release | None = None
    fold: Literal[1, 2, 3] | None = None  # which of JHMDB's three splits

    @model_validator(mode="after")
    def _complete(self) -> "Dataset":
        if (self.kind == "embedded") != (self.embedded is not None):
            raise ValueError("`embedded` settings are given exactly when kind is `embedded`")
        if (self.kind == "jhmdb") != (self.fold is not None):
            raise ValueError("`fold` (1, 2 or 3) is given exactly when kind is `jhmdb`")
        return self

    @property
    def metric(self) -> Literal["AP", "PCK"]:
        """The metric of its benchmark: PoseTrack's AP, or JHMDB's PCK."""
        return "PCK" if self.kind == "jhmdb" else "AP"

    @property
    def body(self) -> skeleton.Skeleton:
        """The joints that this dataset labels."""
        return skeleton.JHMDB if self.kind == "jhmdb" else skeleton.POSETRACK


class Evaluation(Part):
    """Settings of decoding and scoring: every switch that changes results."""

    boxes: Literal["gt", "detected"]  # boxes of the ablation tables
    other_rows: tuple[str, ...]  # variants that are also scored on the other boxes
    # Where detected boxes come from: at most one of the next three. Files are relative to the
    # dataset's root.
    detections: str | None  # json file of boxes
    checkpoint: str | None  # weights of torchvision's fasterrcnn_resnet50_fpn_v2
    detector: Detector | None  # a simulated detector
    threshold: Annotated[float, Field(ge=0, le=1)]  # lowest score of a detected box that is used
    enlarge: Annotated[float, Field(gt=0, le=100)]  # factor on a box before it is cropped
    flip_test: bool  # whether heat maps are averaged with those of the mirrored crop
    # plain: the highest pixel; quarter: 0.25 px towards its larger neighbour; dark: a Taylor step
    # on the smoothed logarithm (DARK).
    decode: Literal["plain", "quarter", "dark"]
    product: bool  # whether a joint's score is peak x box score; otherwise it is the peak alone
    oks_area: Annotated[float, Field(gt=0, le=100)]  # a person's area over w * h of the true box
    resamples: Annotated[int, Field(gt=0, le=100_000)]  # bootstrap samples of an interval
    batch: Positive  # windows that a network predicts at once

    @model_validator(mode="after")
    def _one_source(self) -> "Evaluation":
        given = [n for n in ("detections", "checkpoint", "detector") if getattr(self, n)]
        if len(given) > 1:
            raise ValueError(f"detected boxes come from one source; got {' and '.join(given)}")
        return self

    @property
    def other_boxes(self) -> Literal["gt", "detected"]:
        """The other kind of boxes than `boxes`."""
        return "gt" if self.boxes == "detected" else "detected"


class ContractNumbers(Part):
    """The numbers of one data seed, by which the difficulty of rendered data is chosen."""

    single_frame_ap: Annotated[float, Field(ge=35, le=50)]  # AP of the backbone alone
    head_room: Annotated[float, Field(ge=10)]  # its AP on clean frames minus that on degraded ones
    # The share of the head-room that the untrained control takes which copies heat maps from the
    # surest of three frames. Were it large, nothing about motion could show.
    copy_share: Annotated[float, Field(le=0.5)]


class Contract(Part):
    """How the difficulty of the rendered data was chosen: on data of other seeds.

    Only the single-frame network and a control that copies its maps were looked at. No variants
    were compared.
    """

    fixed: date
    commit: str  # the code that rendered and measured
    seeds: dict[int, ContractNumbers]


MANY: Final = 1000  # seeds of a variant
Number = Annotated[int, Field(gt=0, le=MANY)]


class Seeds(Part):
    """The number of seeds that each variant is trained with."""

    default: Number
    more: dict[str, Number]  # variants with another number
    shared_backbone: bool  # whether all seeds build on one backbone of stage one
    # What run number 0 draws with; number n draws with first + n. So a second study with other
    # seeds is a scale with another `first`. A shared backbone is the same in both.
    first: Annotated[int, Field(ge=0, le=MOST)] = 0


class Scale(Part):
    """One scale of the study (smoke, clip, desk, paper)."""

    name: Name
    note: str  # printed at the top of every page
    contract: Contract | None = None
    dataset: Dataset
    evaluation: Evaluation
    seeds: Seeds
    rows: tuple[str, ...] | None  # names of its variants; null: all
    without: tuple[str, ...] = ()  # folders of experiments/ that are not read
    interim: tuple[str, ...]  # kinds of interim generators whose frames are made and measured
    interim_shards: Positive = 1  # jobs among which a generator's clips are shared
    vfit: Annotated[Any, SettingsOf(kinds.INTERIM, "vfit")] = None
    group_counts: tuple[int, ...]
    pictures: Positive
    speed_repeats: Positive
    # Whether the frozen backbone's features are computed once and kept for all second stages, or by
    # each of them anew.
    features: Literal["kept", "live"] = "live"
    checkpointing: bool = False  # whether encoder layers recompute activations to save memory
    # Whether trainings and predictions need a CUDA card. Then every such job asks for one, whatever
    # the machine has that plans the jobs, and none runs on a CPU.
    card: bool = False
    # Processes, each with a card if there are any, that share the cycles of one training: a number
    # that divides training.accumulation. It changes the last bits of weights only.
    ranks: Annotated[int, Field(ge=1, le=1024)] = 1
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

    @field_validator("group_counts")
    @classmethod
    def _groups(cls, counts: tuple[int, ...]) -> tuple[int, ...]:
        most = skeleton.COUNT
        if not all(1 <= count <= most for count in counts) or len(set(counts)) < len(counts):
            raise ValueError(f"group_counts must be distinct numbers in 1..{most}")
        return counts

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
        """The splits of the dataset; `stills` exist only where they are rendered, for stage one."""
        embedded = self.dataset.embedded
        return ("train", "val", "stills") if embedded and embedded.stills else ("train", "val")
