"""Frozen records that are written to files and read from them, and their JSON.

A malformed file is refused by `RecordError`, which names the file and the record. Coordinates are
image px: x to the right, y down, the origin at the centre of the top-left pixel, as in every public
PoseTrack pipeline. An absent joint is `None` in JSON and NaN in arrays.
"""

import codecs
import errno
import json
import math
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Annotated, Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_core import from_json

from tips import skeleton
from tips.streams import is_stream, stream
from tips.temporaries import hidden_name

FARTHEST: Final = 1e6  # px of any annotated coordinate or length from 0
LARGEST: Final = 2_000_000_000  # bytes of a file that is read as a whole


class RecordError(ValueError):
    """A missing or malformed file; the message names file and record."""


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if not path.parts or path.is_absolute() or ".." in path.parts or not name.isprintable():
        raise ValueError(f"must name a file inside the dataset's folder; got {name[:100]!r}")
    return name


def _one_folder(name: str) -> str:
    if "/" in _inside(name) or name.startswith("."):
        raise ValueError(f"must be a name that a folder can have; got {name[:100]!r}")
    return name


Px = Annotated[float, Field(ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]
Length = Annotated[int, Field(ge=1, le=16_384)]  # of a frame's side, px
Track = Annotated[int, Field(ge=-(2**31), lt=2**31)]
GivenScore = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
GivenName = Annotated[str, Field(max_length=1000)]  # of a file, in a file from outside
InsideFile = Annotated[GivenName, AfterValidator(_inside)]
SequenceName = Annotated[str, Field(max_length=200), AfterValidator(_one_folder)]
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # x, y, width, height
GivenPoint = tuple[Px, Px]  # of a file from outside
GivenBox = tuple[Px, Px, Px, Px]


class Record(BaseModel):
    """Base of every record; it is frozen and refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Person(Record):
    """One annotated person of one frame."""

    track: Track
    box: GivenBox
    head: GivenBox | None
    joints: tuple[GivenPoint | None, ...]

    @field_validator("joints")
    @classmethod
    def _fifteen(cls, joints: tuple[Point | None, ...]) -> tuple[Point | None, ...]:
        if len(joints) != skeleton.COUNT:
            raise ValueError(f"a person has {skeleton.COUNT} joints; got {len(joints)}")
        return joints

    @property
    def points(self) -> NDArray[np.float64]:
        """The joints as an array (15, 2), image px, NaN where absent."""
        return points_array(self.joints)


class Frame(Record):
    """One frame; only `labelled` frames are trained on and evaluated."""

    file: InsideFile  # relative to the dataset's root
    id: int
    labelled: bool
    ignore: tuple[tuple[GivenPoint, ...], ...] = ()
    people: tuple[Person, ...] = ()


class Sequence(Record):
    """One video clip."""

    name: SequenceName
    width: Length  # image px
    height: Length  # image px
    motion: str  # stratum of the bootstrap: the clip's motion, or its name
    frames: tuple[Frame, ...]


class Annotations(Record):
    """One split of one dataset; all other code reads datasets in this form alone."""

    dataset: str
    split: Literal["train", "val", "stills"]
    root: str
    sequences: tuple[Sequence, ...]


class Detection(Record):
    """One person box of one frame, from a detector or from the annotations."""

    sequence: str
    frame: int  # position in the sequence
    box: GivenBox
    score: Annotated[float, Field(allow_inf_nan=False)]
    track: int | None = None  # track of the annotated person, if the box is an annotated one


class Detections(Record):
    """All boxes of a split, and their source."""

    source: str
    boxes: tuple[Detection, ...]


class Pose(Record):
    """One predicted person of one frame; joints that the model does not predict are absent."""

    track: int
    score: float
    joints: tuple[Point | None, ...]
    scores: tuple[float, ...]


class FramePoses(Record):
    """All predicted people of one frame."""

    frame: int
    poses: tuple[Pose, ...]


class Between(Record):
    """One synthesized pose R_{w,w+1} of one person window (Eq. 2), image px."""

    track: int
    left: int  # position of frame w in the sequence
    time: float  # s = beta / 2 of Eq. 15
    joints: tuple[Point, ...]
    ends: tuple[tuple[Point, ...], tuple[Point, ...]]  # the model's own R_w and R_{w+1}
    rough: tuple[Point, ...] = ()  # read directly from the interim frame; none without one
    padded: bool  # whether the interval touches a repeated frame at a clip's end


class SequencePredictions(Record):
    """Predictions of one run on one sequence."""

    name: str
    frames: tuple[FramePoses, ...]
    between: tuple[Between, ...] = ()


class Predictions(Record):
    """Predictions of one run on a split; the tables' scores are computed from them."""

    variant: str
    seed: int
    boxes: str
    sequences: tuple[SequencePredictions, ...]


def points_array(joints: tuple[Point | None, ...]) -> NDArray[np.float64]:
    """Makes an array (n, 2) of joints, NaN where absent."""
    return np.array(
        [point if point is not None else (np.nan, np.nan) for point in joints], dtype=np.float64
    ).reshape(-1, 2)


M = TypeVar("M", bound=BaseModel)


def read(kind: type[M], path: Path) -> M:
    """Reads one record file. Raises RecordError, which names file and first bad record."""
    try:
        return kind.model_validate_json(content(path))
    except ValidationError as error:
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise RecordError(
            f"{path}: {first_problem(error)}{more}; delete the file and run again"
        ) from error


def regular(path: Path, remedy: str = "run the rule that makes it") -> os.stat_result:
    """Judges whether a path is a file that ends: opening a pipe would wait, a device never ends.

    Args:
        path: the file.
        remedy: what to do if there is none.

    Raises:
        RecordError: if there is no such file, or if it is a folder, a pipe or a device.
    """
    try:
        status = path.stat()
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; {remedy}") from error
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "no regular file"
        raise RecordError(f"{path}: is {what}; a file is needed here")
    return status


def content(path: Path, remedy: str = "run the rule that makes it") -> bytes:
    """Reads a whole file of text, without the mark that some editors put before UTF-8.

    Args:
        path: the file.
        remedy: what to do if there is none.

    Raises:
        RecordError: if there is no such file, if it is a folder or a device, or if it is too large.
    """
    status = regular(path, remedy)
    if status.st_size > LARGEST:
        raise RecordError(f"{path}: {status.st_size} bytes; such a file has at most {LARGEST}")
    return path.read_bytes().removeprefix(codecs.BOM_UTF8)


@contextmanager
def naming(where: str | Path) -> Iterator[None]:
    """Names the file, if a record that is made within has a value that it must not have.

    Raises:
        RecordError: in place of pydantic's error.
    """
    try:
        yield
    except ValidationError as error:
        raise RecordError(f"{where}: {error.title}: {first_problem(error)}") from error


def first_problem(error: ValidationError) -> str:
    """Tells where in a file the first bad record is, and what is wrong with it."""
    first = error.errors()[0]
    message = str(first["msg"]).removeprefix("Value error, ")
    return f"{'.'.join(map(str, first['loc'])) or 'the file'}: {message}"


def write(record: Record, path: Path) -> None:
    """Writes one record file atomically."""
    with atomic(path) as file:
        file.write(record.model_dump_json())
        file.write("\n")


def read_json(path: Path, remedy: str = "mend it, or make it again") -> Any:
    """Reads plain JSON in UTF-8. Raises RecordError, which names the file and the remedy."""
    try:
        return from_json(content(path))
    except RecordError:
        raise
    except ValueError as error:
        what, _, place = str(error).rpartition(" at ")
        raise RecordError(f"{path}: not JSON at {place}: {what}; {remedy}") from error


def read_object(path: Path) -> dict[str, Any]:
    """Reads plain JSON that holds keys and values. Raises RecordError, which names the file."""
    found = read_json(path)
    if not isinstance(found, dict):
        raise RecordError(f"{path}: must hold an object, with keys and values; make it again")
    return found


def write_json(value: Any, path: Path) -> None:
    """Writes plain JSON atomically."""
    with atomic(path) as file:
        dump_json(value, file)


def dump_json(value: Any, file: IO[str]) -> None:
    """Writes plain JSON into a file, with sorted keys, so that equal values give equal bytes."""
    json.dump(value, file, indent=1, sort_keys=True)
    file.write("\n")


def without_nan(value: Any) -> Any:
    """Replaces NaN by None, because JSON has no NaN; null means that a number is unknown."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


@contextmanager
def atomic(path: Path) -> Iterator[IO[str]]:
    """Opens a text file that gets its name only when it is complete; makes its folder.

    A device or a pipe, such as /dev/stdout, is written to as it is; nothing can take its place.
    """
    if is_stream(path):
        with naming_errors(path), stream(path) as opened:
            yield opened
        return
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        yield file


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Gives a temporary file in the same folder, which is renamed to `path` only on success.

    It has the same suffix. Nothing ever reads a half-written file.

    Raises:
        RecordError: if `path` is a folder or a device, or if a file is in the place of its folder.
    """
    with atomic_paths(path) as (temporary,):
        yield temporary


@contextmanager
def atomic_paths(*paths: Path) -> Iterator[tuple[Path, ...]]:
    """Does the same for several files, which get their names when all of them are complete.

    Raises:
        RecordError: as `atomic_path`.
    """
    for path in paths:
        judge_place(path)
        path.parent.mkdir(parents=True, exist_ok=True)
    temporaries = tuple(map(hidden_name, paths))
    for temporary in temporaries:  # by a process of the same number, or a stranger's link
        temporary.unlink(missing_ok=True)
    try:
        with naming_errors(*paths):
            yield temporaries
            for temporary in temporaries:
                _to_disk(temporary)
            for temporary, path in zip(temporaries, paths, strict=True):
                temporary.replace(path)
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


@contextmanager
def naming_errors(*paths: Path) -> Iterator[None]:
    """Names the files in the error of a failed write, which does not."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or ", ".join(map(str, paths))
        raise


def judge_place(path: Path) -> None:
    """Judges whether a file can be written under a name, before there is anything to write.

    Raises:
        RecordError: if `path` is a folder or a device, or if a file is in the place of its folder.
        PermissionError: if nothing may be written there.
    """
    if path.exists() and not path.is_file() and not path.is_symlink():  # a link is replaced
        what = "a folder" if path.is_dir() else "a device or a pipe"
        raise RecordError(f"{path}: is {what}; give the name of a file")
    above = next(folder for folder in path.parents if folder.exists())
    if not above.is_dir():
        raise RecordError(f"{above}: a file is in this folder's place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(above))


def _to_disk(path: Path) -> None:
    """Has the disk hold a file's content before it gets its name; power may fail in between."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
