"""PoseTrack17 -> Annotations: one `annolist` per sequence, a MATLAB file or its conversion to json.

The conversion (poseval's mat2json) wraps every number into a list of one. MATLAB stores a list of
one struct as that struct, and an empty list as nothing. Both are undone here. Frames keep their own
names, which are not uniform (`0000XX_crop.jpg`); their order is that of the leading number.
"""

import math
import re
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Any, Final

from tips import skeleton
from tips.config import Dataset
from tips.data import layout
from tips.data.boxes import around
from tips.data.matlab import read_structs
from tips.data.posetrack import Split
from tips.ops.image import read_image
from tips.records import (
    Annotations,
    Box,
    Frame,
    Person,
    Point,
    RecordError,
    Sequence,
    naming,
    read_json,
)
from tips.temporaries import visible

PATTERNS: Final = ("*/*.mat", "*/*.json")
_PICTURES: Final = (".jpg", ".png")


def read(root: Path, settings: Dataset, split: Split, dataset: str) -> Annotations:
    """Reads one split from {annotations}/{split}/*.mat or *.json.

    Args:
        root: the dataset's folder.
        settings: names the label folder, `annotations`.
        split: `train` or `val`.
        dataset: the dataset's name, for the result.

    Raises:
        RecordError: if a file is malformed; the message names file and record.
    """
    folder = _folder(root, settings)
    files = _files(folder, f"{split}/")
    if not files:
        raise RecordError(
            f"{folder / split}: no file *.mat or *.json; put the split's labels there"
        )
    sequences = tuple(read_sequence(root, file) for file in files)
    return Annotations(dataset=dataset, split=split, root=str(root), sequences=sequences)


def labels(root: Path, settings: Dataset) -> list[Path]:
    """Lists the label files of all splits."""
    return _files(_folder(root, settings), "*/")


def _folder(root: Path, settings: Dataset) -> Path:
    return layout.find_labels(root, settings.annotations, PATTERNS)


def _files(folder: Path, prefix: str) -> list[Path]:
    """Lists the sequences' files; if a sequence has both forms, MATLAB's is taken."""
    found = {path.with_suffix(""): path for path in visible(folder, f"{prefix}*.json")}
    found |= {path.with_suffix(""): path for path in visible(folder, f"{prefix}*.mat")}
    return [found[stem] for stem in sorted(found)]


def read_sequence(root: Path, path: Path) -> Sequence:
    """Reads one sequence file. Raises RecordError, which names the file and the record."""
    with naming(path):
        return _sequence(root, path)


def _sequence(root: Path, path: Path) -> Sequence:
    if path.suffix == ".mat":
        rows = _many(read_structs(path, "annolist"))
    else:
        rows = _many(_Record(read_json(path), str(path)).get("annolist"))
    if not rows:
        raise RecordError(f"{path}: annolist: no frame")
    entries = [_Record(row, f"{path}: annolist.{k}") for k, row in enumerate(rows)]
    names = [entry.record("image").text("name") for entry in entries]
    base = layout.prefix(root, names[0])
    annotated = {
        name: _frame(entry, base + name) for name, entry in zip(names, entries, strict=True)
    }
    frames = [annotated.get(name) or _bare(base + name) for name in _in_order(root, base, names)]
    size = read_image(root / frames[0].file).shape
    return Sequence(
        name=path.stem,
        width=size[1],
        height=size[0],
        motion=path.stem,
        frames=tuple(frame.model_copy(update={"id": k + 1}) for k, frame in enumerate(frames)),
    )


def _in_order(root: Path, base: str, names: Rows[str]) -> list[str]:
    """Lists the annotated frames and the others in their folder, by their leading number."""
    folder = Path(names[0]).parent
    beside = [
        (folder / file.name).as_posix()
        for file in (root / base / folder).iterdir()
        if file.suffix.lower() in _PICTURES and re.match(r"\d", file.name)
    ]
    return sorted({*names, *beside}, key=lambda name: (_number(name), name))


def _number(name: str) -> int:
    leading = re.match(r"\d+", Path(name).name)
    if leading is None:
        raise RecordError(f"{name}: a frame's name starts with its number")
    return int(leading.group())


def _bare(file: str) -> Frame:
    return Frame(file=file, id=0, labelled=False)


def _frame(entry: "_Record", file: str) -> Frame:
    rectangles = _many(entry.get("annorect"))
    people = [
        _person(_Record(row, f"{entry.where}.annorect.{k}")) for k, row in enumerate(rectangles)
    ]
    flag = _only(entry.get("is_labeled"))
    regions = _many(entry.get("ignore_regions"))
    return Frame(
        file=file,
        id=0,
        labelled=bool(rectangles) if flag is None else bool(entry.number("is_labeled")),
        ignore=tuple(
            _region(_Record(row, f"{entry.where}.ignore_regions.{k}"))
            for k, row in enumerate(regions)
        ),
        people=tuple(person for person in people if person is not None),
    )


def _person(row: "_Record") -> Person | None:
    corners = [row.number(key) if _only(row.get(key)) is not None else None for key in _CORNERS]
    head: Box | None = None
    if all(value is not None for value in corners):
        x1, y1, x2, y2 = (float(value or 0) for value in corners)
        head = (x1, y1, x2 - x1, y2 - y1)
    joints: list[Point | None] = [None] * skeleton.COUNT
    holder = _many(row.get("annopoints"))
    points = _many(_Record(holder[0], f"{row.where}.annopoints").get("point")) if holder else []
    for k, raw in enumerate(points):
        point = _Record(raw, f"{row.where}.annopoints.point.{k}")
        joint = int(point.number("id"))
        if not 0 <= joint < skeleton.COUNT:
            raise RecordError(f"{point.where}: id must lie in 0..{skeleton.COUNT - 1}; got {joint}")
        joints[joint] = (point.number("x"), point.number("y"))
    box = around(joints, head)  # there is no person box in this release
    if box is None:
        return None
    return Person(track=int(row.number("track_id")), box=box, head=head, joints=tuple(joints))


_CORNERS: Final = ("x1", "y1", "x2", "y2")


def _region(row: "_Record") -> tuple[Point, ...]:
    points = [
        _Record(raw, f"{row.where}.point.{k}") for k, raw in enumerate(_many(row.get("point")))
    ]
    return tuple((point.number("x"), point.number("y")) for point in points)


class _Record:
    """One struct of the file, and its place there, which messages name."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise RecordError(f"{where}: a record with named fields expected; got {value!r:.40}")
        self.value, self.where = value, where

    def get(self, key: str) -> Any:
        return self.value.get(key)

    def record(self, key: str) -> "_Record":
        return _Record(_only(self.get(key)), f"{self.where}.{key}")

    def number(self, key: str) -> float:
        value = _only(self.get(key))
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise RecordError(f"{self.where}: {key}: a finite number expected; got {value!r:.40}")
        return float(value)

    def text(self, key: str) -> str:
        value = _only(self.get(key))
        if not isinstance(value, str):
            raise RecordError(f"{self.where}: {key}: a text expected; got {value!r:.40}")
        return value


def _only(value: Any) -> Any:
    """Unwraps a list of one to its element, and an empty list to None; keeps anything else."""
    if isinstance(value, list):
        return _only(value[0]) if len(value) == 1 else (value or None)
    return value


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
