"""Person boxes of one clip from a file of the user.

If the file is a json list, it has one of the forms of `tips.data.detections`. If it is a json
object, it has PoseTrack18's or COCO's form (`images`, `annotations`) and may hold track ids: it may
be annotations, or what `tips predict` writes.
"""

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from tips.data.boxes import extent
from tips.data.detections import PERSON, by_name, named, on_frames, parse_rows
from tips.ops.image import Image
from tips.records import (
    Box,
    GivenBox,
    GivenName,
    GivenScore,
    Px,
    RecordError,
    Track,
    first_problem,
    read_json,
)
from tips.video.clip import Clip

log = logging.getLogger(__name__)


class PersonBox(NamedTuple):
    """One person box of one frame."""

    box: Box
    score: float
    track: int | None = None  # None: overlap with earlier boxes decides


Boxes = Mapping[int, Sequence[PersonBox]]
Finder = Callable[[int, Image], Sequence[PersonBox]]  # frame number, frame (H, W, 3) -> its boxes


class _Image(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: int
    file_name: GivenName


class _Person(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    image_id: int
    category_id: int = PERSON
    bbox: GivenBox | None = None
    keypoints: list[Px] = []
    score: GivenScore = 1.0
    track_id: Track | None = None


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore")
    images: list[_Image]
    annotations: list[_Person]


_FILE = TypeAdapter(_File)


def read_boxes(path: Path, clip: Clip, threshold: float) -> Boxes:
    """Reads the boxes of a clip's people by frame number.

    If the file holds several videos, the one whose folder has the clip's name is read. `image_name`
    and `file_name` are compared with the names of the clip's frames; frames of a video file are
    named 000000.jpg, 000001.jpg and so on. In a list `image_id` is the frame's number, from 0.

    Args:
        path: the json file.
        clip: the clip that the boxes belong to.
        threshold: lowest score of a box that is kept.

    Raises:
        RecordError: if a record is malformed, an image id occurs twice, a track id occurs twice in
            a frame, or no box belongs to a frame of the clip.
    """
    find_boxes(path)
    data = read_json(path)
    found = _of_object(data, path, clip) if isinstance(data, dict) else _of_list(path, clip)
    kept: dict[int, list[PersonBox]] = defaultdict(list)
    for frame, box in found:
        if box.score >= threshold and min(box.box[2:]) > 0:
            kept[frame].append(box)
    if not kept:
        raise RecordError(
            f"{path}: no box of score {threshold:g} or more on a frame of {clip.path}; frames "
            f"have names such as {PurePosixPath(clip.files[0]).name}, or ids from 0 in a list"
        )
    for frame, boxes in kept.items():
        _check_tracks(path, frame, boxes)
    total = sum(map(len, kept.values()))
    log.info("%s: %d boxes on %d of %d frames", path, total, len(kept), len(clip.files))
    return kept


def find_boxes(path: Path) -> None:
    """Looks for a file of boxes. Raises RecordError if there is none."""
    if not path.is_file():
        raise RecordError(f"{path}: no such file of boxes; leave out --boxes or give another")


def _of_list(path: Path, clip: Clip) -> Iterator[tuple[int, PersonBox]]:
    rows = parse_rows(path)
    names = [row.image_name for row in rows if row.image_name is not None]
    kept = _of_clip(names, clip)
    rows = [row for row in rows if row.image_name is None or row.image_name in kept]
    for box in on_frames(rows, path, clip.annotations):
        yield box.frame, PersonBox(box.box, box.score)


def _of_object(data: object, path: Path, clip: Clip) -> Iterator[tuple[int, PersonBox]]:
    try:
        file = _FILE.validate_python(data)
    except ValidationError as error:
        raise RecordError(f"{path}: {first_problem(error)}") from error
    known: set[int] = set()
    for number, image in enumerate(file.images):
        if image.id in known:
            raise RecordError(
                f"{path}: images.{number}: id {image.id} occurs twice; frames need different ids"
            )
        known.add(image.id)
    frames = _frames(file.images, path, clip)
    for number, person in enumerate(file.annotations):
        if person.image_id not in known:
            raise RecordError(
                f"{path}: annotations.{number}: image_id {person.image_id} is not among the images"
            )
        box = person.bbox or _around(person.keypoints)
        if person.image_id in frames and box is not None and person.category_id == PERSON:
            yield frames[person.image_id], PersonBox(box, person.score, _given(person.track_id))


def _given(track: int | None) -> int | None:
    return None if track is None or track < 0 else track


def _around(keypoints: list[float]) -> Box | None:
    triples = zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=False)
    return extent([(x, y) for x, y, v in triples if (x, y, v) != (0, 0, 0)])


def _frames(images: Sequence[_Image], path: Path, clip: Clip) -> dict[int, int]:
    """Maps image ids to frame numbers: by name, or in order if the names are not the clip's.

    `tips predict` numbers frames from 0. For a folder whose frames are numbered from 1, all but one
    of its names exist in the clip, but each names the wrong frame. So the order decides as soon as
    one name does not fit.
    """
    kept = _of_clip([image.file_name for image in images], clip)
    images = [image for image in images if image.file_name in kept]
    names = by_name(clip.annotations)
    found = {
        image.id: place.frame
        for image in images
        if (place := named(image.file_name, names)) is not None
    }
    if len(set(found.values())) < len(images) == len(clip.files):
        log.info("%s: names other frames, as many as %s has: taken in order", path, clip.path)
        return {image.id: number for number, image in enumerate(images)}
    return found


def _of_clip(names: Sequence[str], clip: Clip) -> set[str]:
    """Selects the names that belong to the clip.

    If they lie in several folders, they are of several videos, whose frames have the same names;
    then only the folder with the clip's name counts.
    """
    folders = {PurePosixPath(name).parent.name for name in names}
    if len(folders) <= 1:
        return set(names)
    return {name for name in names if PurePosixPath(name).parent.name == clip.name}


def _check_tracks(path: Path, frame: int, boxes: Sequence[PersonBox]) -> None:
    tracks = Counter(box.track for box in boxes if box.track is not None)
    if tracks and max(tracks.values()) > 1:
        raise RecordError(
            f"{path}: frame {frame}: track_id {tracks.most_common(1)[0][0]} occurs twice; people "
            "of a frame need different ids, or none"
        )


def from_file(boxes: Boxes) -> Finder:
    """Gives a finder that takes each frame's boxes from a file."""
    return lambda frame, image: boxes.get(frame, ())


def whole_frame(frame: int, image: Image) -> Sequence[PersonBox]:
    """Takes the whole frame (H, W, 3) as the box of one person."""
    height, width = image.shape[:2]
    return (PersonBox((0.0, 0.0, float(width), float(height)), 1.0, 0),)
