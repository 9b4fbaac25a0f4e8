"""Reads the small files that stages leave for the report, as frozen rows.

Keys that no page prints are ignored, so that a stage may write more of them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tips import skeleton
from tips.provenance import shown_commit
from tips.records import RecordError, content, read

LARGEST: Final = 10**15  # no count, size, ratio or time in s is larger
Count = Annotated[int, Field(ge=0, le=LARGEST)]
Amount = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Finite = Annotated[float, Field(ge=-1e30, le=1e30, allow_inf_nan=False)]
Decibel = Annotated[float, Field(ge=-200, le=200, allow_inf_nan=False)]
Agreement = Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)]  # an adjusted Rand index
Joint = Annotated[int, Field(ge=0, lt=skeleton.COUNT)]


class Source(BaseModel):
    """Base of every file. Rows are frozen, and additional keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Ratio(Source):
    """The time of one variant over that of the single-frame reference, in one process."""

    wall_ratio: Amount
    cpu_ratio: Amount


class Speed(Source):
    """The file speed.json."""

    reference: str
    rows: dict[str, Ratio]
    device: str = "cpu"
    threads: Count = 1
    kernels: str = "torch"
    interim: dict[str, Amount] = {}  # time of one interim frame over that of one reference window


class Cost(Source):
    """One entry of cost.json: a network at the paper's size."""

    variant: str
    title: str
    params: Count
    params_by_part: dict[str, Count]
    gmac: Amount
    gimac: Amount
    macs: dict[str, Count]
    head: Count = 0  # parameters beside the backbone, of rivals whose code is public
    head_coco: Count = 0  # the same with the 17 joints of that code
    interim_frames: Count | None = None  # None for an interpolator
    gmac_by_part: dict[str, Amount] = {}
    inference_mib: Amount | None = None  # peaks of one window's activations, interim frames given
    training_mib: Amount = 0.0
    checkpointed_mib: Amount = 0.0


class Timed(Source):
    """One entry of bench/cost.json: windows per second over the single-frame reference's."""

    variant: str
    device: str
    speed: Amount
    speed_given_frames: Amount


class Pass(Source):
    """CPU time of one single-frame pass."""

    threads: Count
    name: str
    seconds: Amount
    quartiles: tuple[Amount, Amount]


class Multiple(Source):
    """A window's time over that of the fastest pass among some."""

    fastest: str
    ratio: Amount
    quartiles: tuple[Amount, Amount]


class Window(Source):
    """CPU time of one window through a network."""

    threads: Count
    variant: str
    precision: str
    seconds: Amount
    quartiles: tuple[Amount, Amount]
    same_precision: Multiple
    fp32: Multiple
    any_precision: Multiple
    backbone: Multiple  # the window's frames through the backbone alone
    mac_ratio: Amount
    heads_mac_ratio: Amount


class Inference(Source):
    """The file bench/inference.json."""

    crop: tuple[Count, Count]
    runs: Count
    kernels: str
    cpu: str
    amx: bool
    passes: tuple[Pass, ...]
    networks: tuple[Window, ...]


class Quality(Source):
    """The mean PSNR in dB over n interim frames; None if there are no true ones to compare with."""

    mean: Decibel | None
    n: Count


class Psnr(Source):
    """The file interim/{generator}/psnr.json."""

    generator: str
    train: Quality | None = None
    val: Quality | None = None


class Grouping(Source):
    """The file groups/{dataset}/{count}.json: spectral groups, and their ARI with Table V."""

    count: Count
    groups: tuple[tuple[Joint, ...], ...]
    names: tuple[tuple[str, ...], ...]
    ari: Agreement | None
    samples: Count
    matrix: tuple[tuple[Finite | None, ...], ...]  # adjusted mutual information of every two joints

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if sorted(joint for group in self.groups for joint in group) != [*range(skeleton.COUNT)]:
            raise ValueError(f"groups: must hold each of the {skeleton.COUNT} joints once")
        if [*map(len, self.groups)] != [*map(len, self.names)] or len(self.groups) != self.count:
            raise ValueError("groups: must be as many, and as long, as count and names say")
        if [*map(len, self.matrix)] != [skeleton.COUNT] * skeleton.COUNT:
            raise ValueError(f"matrix: must have {skeleton.COUNT} rows and columns")
        return self


class Counted(Source):
    """What a split holds; people and joints are those of labelled frames."""

    sequences: Count
    frames: Count
    labelled_frames: Count
    people: Count
    joints: Count


class Manifest(Source):
    """The file manifest.json: what every split holds, and the licence of a published dataset."""

    counts: dict[str, Counted] = {}
    licence: str = ""


class Provenance(Source):
    """The file runs/.../provenance.json: data, code, configuration and machine of one run."""

    scale: str
    dataset: str
    variant: str
    seed: Count
    config_digest: str
    code_digest: str = ""  # records of older versions have none
    data_digest: str
    commit: str
    dirty: bool | None  # null: unknown
    dirty_reason: str = ""  # why it is unknown
    device: str
    card: str = ""  # empty on a CPU
    driver: str = ""
    ranks: Count = 1
    precision: str
    kernels: str
    versions: dict[str, str]
    lock_digest: str = ""
    compiler: str = ""
    vector_extensions: tuple[str, ...] = ()
    machine: str
    steps: Count
    seconds: Amount
    parameters: Count

    def checkout(self, digits: int) -> str:
        """Words the commit, with so many digits of its hash, and whether the tree differed."""
        return shown_commit(self.commit, self.dirty, self.dirty_reason, digits)


class Step(Source):
    """One line of train.jsonl."""

    step: int = Field(ge=0, lt=2**53)
    epoch: Count
    rate: Finite
    terms: dict[str, Finite]
    total: Finite


class Failure(Source):
    """The file runs/.../failed.json: why a run has no predictions."""

    reason: str


S = TypeVar("S", bound=Source)


def read_if_present(kind: type[S], path: Path) -> S | None:
    """Reads a file; gives None if there is none. Raises RecordError as `read` does."""
    return read(kind, path) if path.is_file() else None


def steps(path: Path) -> list[Step]:
    """Reads train.jsonl; a last line that a kill cut short is left out. Raises RecordError."""
    lines = str(content(path), "utf-8", "replace").splitlines(keepends=True)
    return list(_parse(path, [line for line in lines if line.endswith("\n") and line.strip()]))


def _parse(path: Path, lines: list[str]) -> Iterator[Step]:
    for number, line in enumerate(lines, start=1):
        try:
            yield Step.model_validate(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise RecordError(
                f"{path}: line {number} is not a logging step; train again"
            ) from error
