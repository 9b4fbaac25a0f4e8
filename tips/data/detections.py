"""Person boxes from a file of the user -> Detections.

Three kinds of file are known, each a json list of `bbox` (x, y, width, height), `score` and
`category_id`. PoseWarper's and DCPose's val_boxes.json name a frame by `image_name`; mmpose's
detection files and COCO results name it by `image_id`.
"""

import logging
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tips.records import (
    Annotations,
    Detection,
    Detections,
    GivenBox,
    GivenName,
    GivenScore,
    RecordError,
    content,
    first_problem,
)

log = logging.getLogger(__name__)
PERSON: Final = 1  # COCO's number of the category


class Place(NamedTuple):
    """One frame of a split: name of the sequence, and position in it."""

    sequence: str
    frame: int


class Row(BaseModel):
    """One box, as it stands in the file."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    bbox: GivenBox
    score: GivenScore
    category_id: int = PERSON
    image_name: GivenName | None = None
    image_id: int | None = None


_ROWS: Final = TypeAdapter(list[Row])
_REMEDY: Final = (
    "put the person boxes there, or name another file, or a detector's checkpoint, in the scale's "
    "evaluation"
)


def read_detections(path: Path, annotations: Annotations, threshold: float) -> Detections:
    """Reads the boxes of people on labelled frames.

    Boxes of other frames or of other categories are left out, and so are boxes without an area and
    boxes of a lower score.

    Args:
        path: the json file.
        annotations: annotations of the split that the boxes belong to.
        threshold: lowest score of a box that is kept.

    Raises:
        RecordError: if a record is malformed, or if no box belongs to a frame of the split.
    """
    rows = parse_rows(path)
    labelled = {
        Place(sequence.name, position)
        for sequence in annotations.sequences
        for position, frame in enumerate(sequence.frames)
        if frame.labelled
    }
    boxes = [
        box
        for box in on_frames(rows, path, annotations)
        if Place(box.sequence, box.frame) in labelled
        and box.score >= threshold
        and min(box.box[2:]) > 0
    ]
    if not boxes:
        raise RecordError(
            f"{path}: no box of score {threshold:g} or more on a labelled frame of "
            f"{annotations.dataset} {annotations.split}; is it of this split?"
        )
    without = len(labelled) - len({(box.sequence, box.frame) for box in boxes})
    log.info("%s: %d of %d boxes; %d frames without one", path, len(boxes), len(rows), without)
    return Detections(source="detected", boxes=tuple(boxes))


def parse_rows(path: Path) -> list[Row]:
    """Reads a list of boxes. Raises RecordError naming the file and the first bad record."""
    try:
        return _ROWS.validate_json(content(path, _REMEDY))
    except ValidationError as error:
        raise RecordError(f"{path}: record {first_problem(error)}") from error


def on_frames(rows: list[Row], path: Path, annotations: Annotations) -> list[Detection]:
    """Selects the boxes of people on frames of a split.

    Args:
        rows: the file's boxes.
        path: the file, named in messages.
        annotations: annotations of the split.

    Raises:
        RecordError: if a record names no frame.
    """
    places = _places(path, rows, annotations)
    return [
        Detection(sequence=place.sequence, frame=place.frame, box=row.bbox, score=row.score)
        for row, place in zip(rows, places, strict=True)
        if place is not None and row.category_id == PERSON
    ]


def _places(path: Path, rows: list[Row], annotations: Annotations) -> list[Place | None]:
    ids, names = _by_id(annotations), by_name(annotations)
    renamed = _renamed(rows, annotations)
    found: list[Place | None] = []
    for number, row in enumerate(rows):
        if row.image_name is not None:
            found.append(named(row.image_name, renamed, names))
        elif row.image_id is None:
            raise RecordError(f"{path}: record {number}: image_name or image_id must be given")
        elif not ids:
            raise RecordError(
                f"{path}: record {number}: image_id says nothing here, because the frames of "
                f"{annotations.dataset} have no ids of their own; give image_name"
            )
        else:
            found.append(ids.get(row.image_id))
    return found


def _by_id(annotations: Annotations) -> dict[int, Place]:
    """Maps ids to frames; empty if ids are not unique over the split."""
    found: dict[int, Place] = {}
    count = 0
    for sequence in annotations.sequences:
        for position, frame in enumerate(sequence.frames):
            found[frame.id] = Place(sequence.name, position)
            count += 1
    return found if len(found) == count else {}


def by_name(annotations: Annotations) -> dict[str, Place]:
    """Maps every ending of a frame's path that no other frame shares to the frame."""
    found: dict[str, Place] = {}
    seen: Counter[str] = Counter()
    for sequence in annotations.sequences:
        for position, frame in enumerate(sequence.frames):
            for ending in _endings(frame.file):
                found[ending] = Place(sequence.name, position)
                seen[ending] += 1
    return {ending: place for ending, place in found.items() if seen[ending] == 1}


def _endings(name: str) -> list[str]:
    """Lists the endings of a path, the longest first: a/b/c.jpg -> a/b/c.jpg, b/c.jpg, c.jpg."""
    parts = PurePosixPath(name).parts
    return ["/".join(parts[first:]) for first in range(len(parts))]


def named(name: str, *names: Mapping[str, Place]) -> Place | None:
    """Finds the frame of the longest known ending of a name; earlier mappings go first."""
    for known in names:
        for ending in _endings(name):
            if ending in known:
                return known[ending]
    return None


def _renamed(rows: list[Row], annotations: Annotations) -> dict[str, Place]:
    """Maps names to frames for files whose frames were renamed %08d.jpg, counted from 1.

    The HRNet family's tools rename PoseTrack17's frames so. A clip is taken for renamed if every
    number that boxes give in this form lies between 1 and the clip's length.
    """
    used: dict[str, set[int]] = {}
    for row in rows:
        entry = re.fullmatch(r"(?:.*/)?([^/]+)/(\d{8})\.jpg", row.image_name or "")
        if entry:
            used.setdefault(entry[1], set()).add(int(entry[2]))
    found: dict[str, Place] = {}
    for sequence in annotations.sequences:
        folder = PurePosixPath(sequence.frames[0].file).parent
        numbers = used.get(folder.name, set())
        if not numbers or not 1 <= min(numbers) <= max(numbers) <= len(sequence.frames):
            continue
        for position in range(len(sequence.frames)):
            # Clips of two folders may have the same name, so the name of the folder above is part
            # of the key.
            found[f"{folder.parent.name}/{folder.name}/{position + 1:08d}.jpg"] = Place(
                sequence.name, position
            )
    return found
