"""Frozen rows that cross a file boundary, and their JSON.

A malformed file is refused with the file and the record named (`RecordError`). Coordinates are
image px, x right and y down, origin at the centre of the top-left pixel as every public PoseTrack
pipeline has it. An absent joint is `None` in JSON and NaN in arrays.
"""

import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from tips import skeleton

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # x, y, width, height


class RecordError(ValueError):
    """A file that does not hold what it must; the message names file and record."""


class Record(BaseModel):
    """Base of every row: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(Record):
    """One annotated person of one frame."""

    track: int
    box: Box
    head: Box | None
    joints: tuple[Point | None, ...]

    @field_validator("joints")
    @classmethod
    def _fifteen(cls, joints: tuple[Point | None, ...]) -> tuple[Point | None, ...]:
        if len(joints) != skeleton.COUNT:
            raise ValueError(f"a person has {skeleton.COUNT} joints; got {len(joints)}")
        if any(point is not None and not all(map(math.isfinite, point)) for point in joints):
            raise ValueError("joint coordinates must be finite")
        return joints

    @property
    def points(self) -> NDArray[np.float64]:
        """Joints as an array (15, 2), NaN where absent."""
        return points_array(self.joints)


class Frame(Record):
    """One frame; `labelled` frames are the ones evaluated and trained on."""

    file: str  # relative to the dataset's root
    id: int
    labelled: bool
    ignore: tuple[tuple[Point, ...], ...] = ()
    people: tuple[Person, ...] = ()


class Sequence(Record):
    """One video clip. `motion` is the stratum of the bootstrap (the clip's motion or its name)."""

    name: str
    width: int
    height: int
    motion: str
    frames: tuple[Frame, ...]


class Annotations(Record):
    """One split of one dataset, the only form that the rest of the code reads."""

    dataset: str
    split: Literal["train", "val", "stills"]
    root: str
    sequences: tuple[Sequence, ...]


class Detection(Record):
    """One person box of one frame, as a detector (or the ground truth) gives it."""

    sequence: str
    frame: int  # position in the sequence
    box: Box
    score: float
    track: int | None = None  # the annotated person, where the box comes from one


class Detections(Record):
    """All boxes of a split and where they come from."""

    source: str
    boxes: tuple[Detection, ...]


class Pose(Record):
    """One predicted person of one frame; a joint that the predictor does not know is absent."""

    track: int
    score: float
    joints: tuple[Point | None, ...]
    scores: tuple[float, ...]


class FramePoses(Record):
    """All predicted people of one frame."""

    frame: int
    poses: tuple[Pose, ...]


class Between(Record):
    """Synthesized coordinates R_{w,w+1} of one person window (Eq. 2), in image px.

    `left` is the frame w as a position in the sequence, `time` the point s = beta / 2 of Eq. 15,
    `ends` the model's own R_w and R_{w+1}.
    """

    track: int
    left: int
    time: float
    joints: tuple[Point, ...]
    ends: tuple[tuple[Point, ...], tuple[Point, ...]]
    padded: bool


class SequencePredictions(Record):
    """What a model says about one sequence."""

    name: str
    frames: tuple[FramePoses, ...]
    between: tuple[Between, ...] = ()


class Predictions(Record):
    """What one run says about a split; every number of the tables regenerates from this."""

    variant: str
    seed: int
    boxes: str
    sequences: tuple[SequencePredictions, ...]


def points_array(joints: tuple[Point | None, ...]) -> NDArray[np.float64]:
    """Joints as an array (n, 2), NaN where absent."""
    return np.array(
        [point if point is not None else (np.nan, np.nan) for point in joints], dtype=np.float64
    ).reshape(-1, 2)


M = TypeVar("M", bound=BaseModel)


def read(kind: type[M], path: Path) -> M:
    """Reads one record file. Raises RecordError naming the file and the first bad record."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; run the rule that makes it") from error
    except ValidationError as error:
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise RecordError(
            f"{path}: {first_problem(error)}{more}; delete the file and run again"
        ) from error


def first_problem(error: ValidationError) -> str:
    """Says where in a file the first bad record is, and what is wrong with it."""
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}"


def write(record: Record, path: Path) -> None:
    """Writes one record file atomically."""
    with atomic(path) as stream:
        stream.write(record.model_dump_json())
        stream.write("\n")


def read_json(path: Path) -> Any:
    """Reads plain JSON. Raises RecordError naming the file."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; run the rule that makes it") from error
    except json.JSONDecodeError as error:
        raise RecordError(f"{path}: not JSON at line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: not JSON: not text at byte {error.start}") from error


def write_json(value: Any, path: Path) -> None:
    """Writes plain JSON atomically, keys sorted, so that equal values give equal bytes."""
    with atomic(path) as stream:
        json.dump(value, stream, indent=1, sort_keys=True)
        stream.write("\n")


def without_nan(value: Any) -> Any:
    """JSON has no NaN: null says that there is nothing to compute the number from."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


@contextmanager
def atomic(path: Path) -> Iterator[IO[str]]:
    """Opens a text file that appears under its name only when complete; makes its folder."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary sibling (same suffix) that takes the name `path` only on success.

    Raises:
        RecordError: `path` is a folder, or a file stands where its folder should be.
    """
    if path.is_dir():
        raise RecordError(f"{path}: is a folder; give the name of a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise RecordError(f"{path.parent}: a file is in this folder's place") from error
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        temporary.replace(path)
    except OSError as error:
        # A write that fails does not say of which file.
        error.filename = error.filename or str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)
