"""PoseTrack18's layout on disk -> Annotations.

There is one json file per sequence. It holds images, annotations with 17 keypoint slots, head boxes
and ignore regions. Malformed files are refused; the message names file and record.
"""

from collections import defaultdict
from collections.abc import Sequence as Rows
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tips import skeleton
from tips.config import Dataset
from tips.data import layout
from tips.data.boxes import around
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
from tips.temporaries import visible

Split = Literal["train", "val", "stills"]


class _Image(BaseModel):
    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    id: int
    file_name: InsideFile
    is_labeled: bool = True
    width: int | None = None
    height: int | None = None
    ignore_regions_x: list[list[float]] = []
    ignore_regions_y: list[list[float]] = []


class Annotation(BaseModel):
    """One person of one frame, as it stands in the file."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)
    image_id: int
    track_id: int
    keypoints: list[float]
    bbox: Box | None = None
    bbox_head: Box | None = None

    @property
    def box_only(self) -> bool:
        """Whether the person has a box and no keypoints."""
        return False


class _Category(BaseModel):
    model_config = ConfigDict(extra="ignore")
    name: str
    keypoints: list[str]


class File(BaseModel):
    """One sequence file."""

    model_config = ConfigDict(extra="ignore")
    images: list[_Image]
    annotations: Rows[Annotation]
    categories: list[_Category]


def read(root: Path, settings: Dataset, split: Split, dataset: str) -> Annotations:
    """Reads a split.

    Args:
        root: the dataset's folder.
        settings: label folder, and which frames belong to a split where sequences are cut.
        split: `train`, `val` or `stills`.
        dataset: the dataset's name, for the result.

    Raises:
        RecordError: if a file is malformed; the message names file and record.
    """
    cut = getattr(settings.split, split) if settings.split is not None else None
    return read_split(root, settings.annotations, split, dataset, cut=cut)


def labels(root: Path, settings: Dataset) -> list[Path]:
    """Lists the label files of all splits."""
    return visible(_folder(root, settings.annotations), "*/*.json")


def read_split(
    root: Path,
    annotations: str,
    split: Split,
    dataset: str,
    *,
    cut: tuple[int, int] | None = None,
    kind: type[File] = File,
) -> Annotations:
    """Reads one split of a dataset in PoseTrack18's layout.

    Args:
        root: the dataset's folder.
        annotations: name of the label folder, below `root` or below a folder in it.
        split: `train`, `val` or `stills`.
        dataset: the dataset's name, for the result.
        cut: first and last frame position. If given, the split is this part of every sequence
            below `annotations`, whichever folder that lies in. Earlier frames stay without labels,
            as neighbours for windows; later ones are dropped.
        kind: class that one file is read as.

    Raises:
        RecordError: if a file is malformed; the message names file and record.
    """
    folder = _folder(root, annotations)
    pattern = "*/*.json" if cut else f"{split}/*.json"
    files = visible(folder, pattern)
    if not files:
        raise RecordError(f"{folder}: no file {pattern}; is this PoseTrack18's layout?")
    sequences = [read_sequence(root, file, kind=kind) for file in files]
    if cut is not None:
        sequences = [_cut(sequence, *cut) for sequence in sequences]
    return Annotations(dataset=dataset, split=split, root=str(root), sequences=tuple(sequences))


def _folder(root: Path, annotations: str) -> Path:
    found = layout.find(root, f"{annotations}/*/*.json")
    if found is not None:
        return found / annotations
    if (root / annotations).is_dir():
        return root / annotations
    raise RecordError(
        f"{root / annotations}: no such folder; the dataset needs PoseTrack18's layout there"
    )


def read_sequence(
    root: Path, path: Path, motion: str | None = None, kind: type[File] = File
) -> Sequence:
    """Reads one sequence file.

    Args:
        root: the dataset's folder.
        path: the json file.
        motion: name of the sequence's motion; None: that of the sequence.
        kind: class that the file is read as.

    Raises:
        RecordError: if the file is malformed; the message names file and record.
    """
    try:
        raw = kind.model_validate_json(content(path))
    except ValidationError as error:
        raise RecordError(f"{path}: {first_problem(error)}") from error
    with naming(path):
        return _sequence(root, path, motion, raw)


def _sequence(root: Path, path: Path, motion: str | None, raw: File) -> Sequence:
    slots = _slots(raw.categories, path)
    people: dict[int, list[Person]] = defaultdict(list)
    known: set[int] = set()
    for position, image in enumerate(raw.images):
        if image.id in known:
            raise RecordError(f"{path}: images.{position}: id {image.id} occurs twice")
        known.add(image.id)
    for position, row in enumerate(raw.annotations):
        where = f"{path}: annotations.{position}"
        if row.image_id not in known:
            raise RecordError(f"{where}: image_id {row.image_id} is not among the images")
        person = _person(row, slots, where)
        if person is not None:
            people[row.image_id].append(person)
    if not raw.images:
        raise RecordError(f"{path}: images: no frame")
    base = layout.prefix(root, raw.images[0].file_name)
    width, height = _size(root / base, raw.images[0])
    frames = tuple(
        Frame(
            file=base + image.file_name,
            id=image.id,
            labelled=image.is_labeled,
            ignore=_regions(image, f"{path}: images.{position}"),
            people=tuple(people[image.id]),
        )
        for position, image in enumerate(raw.images)
    )
    return Sequence(
        name=path.stem, width=width, height=height, motion=motion or path.stem, frames=frames
    )


def _slots(categories: Rows[_Category], path: Path) -> list[int | None]:
    """Gives the joint id of each keypoint slot by its name; None for names not among the 15."""
    if len(categories) != 1:
        raise RecordError(f"{path}: categories: one category 'person' expected")
    names = categories[0].keypoints
    missing = [joint for joint in skeleton.JOINTS if joint not in names]
    if missing:
        raise RecordError(f"{path}: categories.0.keypoints: '{missing[0]}' is absent")
    return [skeleton.INDEX.get(name) for name in names]


def _person(row: Annotation, slots: list[int | None], where: str) -> Person | None:
    if row.box_only:
        slots = []
    if len(row.keypoints) != 3 * len(slots):
        raise RecordError(
            f"{where}: keypoints: {3 * len(slots)} numbers expected; got {len(row.keypoints)}"
        )
    joints: list[Point | None] = [None] * skeleton.COUNT
    for slot, joint in enumerate(slots):
        x, y, v = row.keypoints[3 * slot : 3 * slot + 3]
        # As in PoseTrack's evaluator, a joint is absent only if all three numbers are zero.
        if joint is not None and (x, y, v) != (0, 0, 0):
            joints[joint] = (x, y)
    # Paper: the family's tools clip boxes to the image; here: boxes are as annotated, because a
    # crop is filled with black beyond the image and the person stays in its middle.
    box = row.bbox
    if box is None or box[2] <= 0 or box[3] <= 0:
        box = around(joints, row.bbox_head)
    if box is None:
        return None
    return Person(track=row.track_id, box=box, head=row.bbox_head, joints=tuple(joints))


def _regions(image: _Image, where: str) -> tuple[tuple[Point, ...], ...]:
    xs, ys = image.ignore_regions_x, image.ignore_regions_y
    if len(xs) != len(ys) or any(len(x) != len(y) for x, y in zip(xs, ys, strict=True)):
        raise RecordError(f"{where}: ignore_regions_x and ignore_regions_y differ in length")
    return tuple(tuple(zip(x, y, strict=True)) for x, y in zip(xs, ys, strict=True))


def _size(root: Path, image: _Image) -> tuple[int, int]:
    if image.width and image.height:
        return image.width, image.height
    pixels = read_image(root / image.file_name)
    return pixels.shape[1], pixels.shape[0]


def _cut(sequence: Sequence, first: int, last: int) -> Sequence:
    """Keeps the frames up to position `last`; those before `first` lose their labels."""
    kept = [
        frame.model_copy(update={} if position >= first else {"labelled": False, "people": ()})
        for position, frame in enumerate(sequence.frames)
        if position <= last
    ]
    if len(kept) <= first:
        raise RecordError(
            f"sequence {sequence.name} has {len(sequence.frames)} frames; "
            f"the split asks for {first} to {last}"
        )
    return sequence.model_copy(update={"frames": tuple(kept)})
