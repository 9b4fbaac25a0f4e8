"""COCO-style json of a whole split -> Annotations: mmpose's conversions, and COCO's own files.

One file holds `images` and `annotations` of many sequences. Images whose `file_name` has the same
folder are one sequence; in COCO, whose names have no folder, each image is a sequence of its own.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, ValidationError

from tips.data import layout
from tips.data.boxes import extent
from tips.data.posetrack import Split
from tips.ops.image import read_image
from tips.records import (
    Annotations,
    Box,
    Frame,
    InsideFile,
    Person,
    Point,
    RecordError,
    Sequence,
    content,
    first_problem,
    naming,
)
from tips.skeleton import Skeleton

ALIASES: Mapping[str, str] = {"head": "face"}  # mmpose calls JHMDB's joint `face` `head`


class _Image(BaseModel):
    model_config = ConfigDict(extra="ignore")
    id: int
    file_name: InsideFile
    is_labeled: bool = True
    width: int | None = None
    height: int | None = None


class _Annotation(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    image_id: int
    keypoints: list[float]
    bbox: Box
    bbox_head: Box | None = None
    track_id: int = 0
    iscrowd: int = 0


class _Category(BaseModel):
    model_config = ConfigDict(extra="ignore")
    name: str
    keypoints: list[str] = []


class _File(BaseModel):
    model_config = ConfigDict(extra="ignore")
    images: list[_Image]
    annotations: list[_Annotation]
    categories: list[_Category]


def read_merged(
    path: Path, root: Path, split: Split, dataset: str, body: Skeleton, origin: int = 0
) -> Annotations:
    """Reads one file of a whole split.

    Args:
        path: the json file.
        root: the dataset's folder; `file_name` is relative to it or to a folder in it.
        split: name of the split, for the result.
        dataset: the dataset's name, for the result.
        body: the joints to read; those that the file does not name are absent.
        origin: number of the file's first pixel; 1 if its coordinates are MATLAB's.

    Raises:
        RecordError: if the file is malformed; the message names file and record.
    """
    try:
        raw = _File.model_validate_json(content(path))
    except ValidationError as error:
        raise RecordError(f"{path}: {first_problem(error)}") from error
    with naming(path):
        return _annotations(raw, path, root, split, dataset, body, origin)


def _annotations(
    raw: _File, path: Path, root: Path, split: Split, dataset: str, body: Skeleton, origin: int
) -> Annotations:
    slots = _slots(raw, path, body)
    known = {image.id for image in raw.images}
    people: dict[int, list[Person]] = defaultdict(list)
    for position, row in enumerate(raw.annotations):
        where = f"{path}: annotations.{position}"
        if row.image_id not in known:
            raise RecordError(f"{where}: image_id {row.image_id} is not among the images")
        if not row.iscrowd:
            people[row.image_id].append(_person(row, slots, where, len(body.joints), origin))
    if not raw.images:
        raise RecordError(f"{path}: images: no frame")
    base = layout.prefix(root, raw.images[0].file_name)
    clips: dict[str, list[_Image]] = defaultdict(list)
    for image in raw.images:
        clips[_sequence_name(image.file_name)].append(image)
    return Annotations(
        dataset=dataset,
        split=split,
        root=str(root),
        sequences=tuple(_sequence(root, base, name, clip, people) for name, clip in clips.items()),
    )


def _sequence_name(file: str) -> str:
    """Gives the name of the frame's folder; for a file without a folder, its own name."""
    path = PurePosixPath(file)
    return path.stem if path.parent.name == "" else path.parent.name


def _sequence(
    root: Path, base: str, name: str, clip: list[_Image], people: Mapping[int, list[Person]]
) -> Sequence:
    first = clip[0]
    width, height = first.width, first.height
    if not width or not height:
        height, width = read_image(root / base / first.file_name).shape[:2]
    frames = tuple(
        Frame(
            file=base + image.file_name,
            id=image.id,
            labelled=image.is_labeled,
            people=tuple(people.get(image.id, ())),
        )
        for image in sorted(clip, key=lambda image: image.file_name)
    )
    return Sequence(name=name, width=width, height=height, motion=name, frames=frames)


def _slots(raw: _File, path: Path, body: Skeleton) -> list[int | None]:
    """Gives the joint id of each keypoint slot by its name; None for names not in the skeleton."""
    named = next((row.keypoints for row in raw.categories if row.keypoints), None)
    if named is None:
        raise RecordError(f"{path}: categories: a category with `keypoints` expected")
    places = {name: joint for joint, name in enumerate(body.joints)}
    return [places.get(name, places.get(ALIASES.get(name, ""))) for name in named]


def _person(
    row: _Annotation, slots: list[int | None], where: str, count: int, origin: int
) -> Person:
    if len(row.keypoints) != 3 * len(slots):
        raise RecordError(
            f"{where}: keypoints: {3 * len(slots)} numbers expected; got {len(row.keypoints)}"
        )
    joints: list[Point | None] = [None] * count
    for slot, joint in enumerate(slots):
        x, y, v = row.keypoints[3 * slot : 3 * slot + 3]
        if joint is not None and (x, y, v) != (0, 0, 0):
            joints[joint] = (x - origin, y - origin)
    x, y, width, height = row.bbox
    box: Box | None = (x - origin, y - origin, width, height)
    if width <= 0 or height <= 0:
        box = extent([point for point in joints if point is not None])
    if box is None:
        raise RecordError(f"{where}: bbox: width and height must be above 0; got {list(row.bbox)}")
    return Person(track=row.track_id, box=box, head=row.bbox_head, joints=tuple(joints))
