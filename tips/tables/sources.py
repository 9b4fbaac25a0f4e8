"""Reads the small files that stages leave for the report, as frozen rows.

Keys that no page prints are ignored, so that a stage may write more of them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

from tips.records import RecordError, content, read


class Source(BaseModel):
    """Base of every file. Rows are frozen, and additional keys are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Ratio(Source):
    """The time of one variant over that of the single-frame reference, in one process."""

    wall_ratio: float
    cpu_ratio: float


class Speed(Source):
    """The file speed.json."""

    reference: str
    rows: dict[str, Ratio]
    device: str = "cpu"
    threads: int = 1
    kernels: str = "torch"
    interim: dict[str, float] = {}  # time of one interim frame over that of one reference window


class Cost(Source):
    """One entry of cost.json: a network at the paper's size."""

    variant: str
    title: str
    params: int
    params_by_part: dict[str, int]
    gmac: float
    gimac: float
    macs: dict[str, int]
    head: int = 0  # parameters beside the backbone, of rivals whose code is public
    head_coco: int = 0  # the same with the 17 joints of that code
    interim_frames: int | None = None  # None for an interpolator
    gmac_by_part: dict[str, float] = {}
    inference_mib: float | None = None  # peaks of one window's activations, interim frames given
    training_mib: float = 0.0
    checkpointed_mib: float = 0.0


class Timed(Source):
    """One entry of bench/cost.json: windows per second over the single-frame reference's."""

    variant: str
    device: str
    speed: float
    speed_given_frames: float


class Pass(Source):
    """CPU time of one single-frame pass."""

    threads: int
    name: str
    seconds: float
    quartiles: tuple[float, float]


class Multiple(Source):
    """A window's time over that of the fastest pass among some."""

    fastest: str
    ratio: float
    quartiles: tuple[float, float]


class Window(Source):
    """CPU time of one window through a network."""

    threads: int
    variant: str
    precision: str
    seconds: float
    quartiles: tuple[float, float]
    same_precision: Multiple
    fp32: Multiple
    any_precision: Multiple
    backbone: Multiple  # the window's frames through the backbone alone
    mac_ratio: float
    heads_mac_ratio: float


class Inference(Source):
    """The file bench/inference.json."""

    crop: tuple[int, int]
    runs: int
    kernels: str
    cpu: str
    amx: bool
    passes: tuple[Pass, ...]
    networks: tuple[Window, ...]


class Quality(Source):
    """The mean PSNR in dB over n interim frames; None if there are no true ones to compare with."""

    mean: float | None
    n: int


class Psnr(Source):
    """The file interim/{generator}/psnr.json."""

    generator: str
    train: Quality | None = None
    val: Quality | None = None


class Grouping(Source):
    """The file groups/{dataset}/{count}.json: spectral groups, and their ARI with Table V."""

    count: int
    names: tuple[tuple[str, ...], ...]
    ari: float | None
    samples: int


class Provenance(Source):
    """The file runs/.../provenance.json: data, code, configuration and machine of one run."""

    scale: str
    dataset: str
    variant: str
    seed: int
    config_digest: str
    code_digest: str = ""  # records of older versions have none
    data_digest: str
    commit: str
    dirty: bool
    device: str
    precision: str
    kernels: str
    versions: dict[str, str]
    lock_digest: str = ""
    compiler: str = ""
    vector_extensions: tuple[str, ...] = ()
    machine: str
    steps: int
    seconds: float
    parameters: int


class Step(Source):
    """One line of train.jsonl."""

    step: int = Field(ge=0, lt=2**53)
    epoch: int
    rate: float
    terms: dict[str, float]
    total: float


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
