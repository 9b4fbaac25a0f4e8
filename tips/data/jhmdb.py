"""JHMDB and sub-JHMDB -> Annotations: one person per clip, 15 joints of its own, three splits.

It reads the dataset's own files: Rename_Images/CLASS/CLIP/%05d.png,
joint_positions/.../joint_positions.mat (`pos_img`, 2 x 15 x frames, px counted from 1),
puppet_mask/.../puppet_mask.mat (`part_mask`, H x W x frames) and sub_splits/CLASS_test_split_N.txt
with lines `CLIP.avi 1` (training) or `CLIP.avi 2` (testing). Or it reads mmpose's conversion,
Sub{1,2,3}_{train,test}.json in the label folder beside Rename_Images.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tips import skeleton
from tips.config import Dataset
from tips.data import layout
from tips.data.matlab import read_array
from tips.data.merged import read_merged
from tips.data.posetrack import Split
from tips.ops.image import read_image
from tips.records import (
    Annotations,
    Box,
    Frame,
    Person,
    Record,
    RecordError,
    Sequence,
    SequenceName,
    content,
    naming,
)
from tips.temporaries import visible

IMAGES: Final = "Rename_Images"
MASKS: Final = "puppet_mask"
SPLITS: Final = "sub_splits"
_SIDE: Final[dict[str, Split]] = {"1": "train", "2": "val"}


class Clip(Record):
    """One line of a split file. Its names become paths, so they are names of folders alone."""

    action: SequenceName
    name: SequenceName
    split: Split

    @property
    def folder(self) -> str:
        """The clip's folder below the folder of each archive."""
        return f"{self.action}/{self.name}"


def read(root: Path, settings: Dataset, split: Split, dataset: str) -> Annotations:
    """Reads the clips of one split of `settings.fold`; the testing clips are `val`.

    Args:
        root: the dataset's folder.
        settings: label folder and fold.
        split: `train` or `val`.
        dataset: the dataset's name, for the result.

    Raises:
        RecordError: if a file is malformed; the message names file and record.
    """
    merged = _merged(root, settings)
    if split in merged:
        return read_merged(merged[split], root, split, dataset, skeleton.JHMDB, origin=1)
    folder = _folder(root, settings.annotations, "*/*/joint_positions.mat")
    masks = _folder(root, MASKS, "*/*/puppet_mask.mat")
    images = _folder(root, IMAGES, "*/*/*.png")
    sequences = tuple(
        read_clip(root, clip, folder, masks, images)
        for clip in clips(root, settings)
        if clip.split == split
    )
    if not sequences:
        raise RecordError(f"{root}: {SPLITS} name no clip for {split}, split {settings.fold}")
    return Annotations(dataset=dataset, split=split, root=str(root), sequences=sequences)


def labels(root: Path, settings: Dataset) -> list[Path]:
    """Lists the split files, and the joints and masks of the clips that they name."""
    merged = _merged(root, settings)
    if merged:
        return list(merged.values())
    found = clips(root, settings)
    folder = _folder(root, settings.annotations, "*/*/joint_positions.mat")
    masks = _folder(root, MASKS, "*/*/puppet_mask.mat")
    return [
        *_split_files(root, settings),
        *(folder / clip.folder / "joint_positions.mat" for clip in found),
        *(masks / clip.folder / "puppet_mask.mat" for clip in found),
    ]


def _merged(root: Path, settings: Dataset) -> dict[Split, Path]:
    """Finds the conversion's file of each split, if there is one."""
    folder = root / settings.annotations
    wanted: dict[Split, Path] = {
        "train": folder / f"Sub{settings.fold}_train.json",
        "val": folder / f"Sub{settings.fold}_test.json",
    }
    return {split: path for split, path in wanted.items() if path.is_file()}


def clips(root: Path, settings: Dataset) -> list[Clip]:
    """Lists every clip that the split files name, sorted.

    Raises:
        RecordError: if a line is malformed; the message names file and line.
    """
    found: dict[str, Clip] = {}
    for path in _split_files(root, settings):
        action = path.name.partition("_test_split_")[0]
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                continue
            where = f"{path}: line {number}"
            entry = re.fullmatch(r"(.+)\.avi ([12])", line.strip())
            if entry is None:
                raise RecordError(f"{where}: '<clip>.avi 1|2' expected; got {line[:100]!r}")
            with naming(where):
                clip = Clip(action=action, name=entry[1], split=_SIDE[entry[2]])
            if clip.name in found:
                raise RecordError(f"{where}: clip {clip.name} occurs twice")
            found[clip.name] = clip
    return sorted(found.values(), key=lambda clip: (clip.action, clip.name))


def _lines(path: Path) -> list[str]:
    try:
        return content(path).decode().splitlines()
    except UnicodeDecodeError as error:
        raise RecordError(f"{path}: no text in UTF-8; copy the file again") from error


def _split_files(root: Path, settings: Dataset) -> list[Path]:
    pattern = f"*_test_split_{settings.fold}.txt"
    return visible(_folder(root, SPLITS, pattern), pattern)


def _folder(root: Path, name: str, pattern: str) -> Path:
    return layout.find_labels(root, name, (pattern,))


def read_clip(root: Path, clip: Clip, joints: Path, masks: Path, images: Path) -> Sequence:
    """Reads one clip.

    Args:
        root: the dataset's folder; names of frames are relative to it.
        clip: the clip.
        joints: folder of the clips' joints.
        masks: folder of the clips' masks.
        images: folder of the clips' frames.

    Raises:
        RecordError: if a file is malformed; the message names file and frame.
    """
    path, where = (
        joints / clip.folder / "joint_positions.mat",
        masks / clip.folder / "puppet_mask.mat",
    )
    positions = read_array(path, "pos_img").astype(np.float64) - 1  # MATLAB counts from 1
    mask = read_array(where, "part_mask").astype(bool)
    if positions.shape[:2] != (2, skeleton.COUNT):
        raise RecordError(
            f"{path}: pos_img: finite numbers, 2 x {skeleton.COUNT} x frames, expected; "
            f"got {' x '.join(map(str, positions.shape))}"
        )
    if mask.shape[2] != positions.shape[2]:
        raise RecordError(
            f"{path}: {positions.shape[2]} frames; {where} has {mask.shape[2]}; copy both again"
        )
    files = visible(images / clip.folder, "*.png")
    if not files or len(files) < mask.shape[2]:
        raise RecordError(
            f"{images / clip.folder}: {mask.shape[2]} frames *.png needed; got {len(files)}"
        )
    height, width = read_image(files[0]).shape[:2]
    if mask.shape[:2] != (height, width):
        raise RecordError(
            f"{where}: part_mask: {mask.shape[0]} x {mask.shape[1]} px; {files[0]} has "
            f"{height} x {width}; copy both again"
        )
    with naming(path):
        return Sequence(
            name=clip.name,
            width=width,
            height=height,
            motion=clip.action,
            frames=tuple(
                Frame(
                    file=file.relative_to(root).as_posix(),
                    id=k + 1,
                    labelled=k < mask.shape[2],
                    people=_people(positions, mask, k, where),
                )
                for k, file in enumerate(files)
            ),
        )


def _people(
    positions: NDArray[np.float64], mask: NDArray[np.bool_], frame: int, where: Path
) -> tuple[Person, ...]:
    if frame >= mask.shape[2]:
        return ()
    points = positions[:, :, frame].T
    joints = tuple((float(x), float(y)) for x, y in points)
    box = _tight(mask[:, :, frame], f"{where}: part_mask: frame {frame + 1}")
    return (Person(track=0, box=box, head=None, joints=joints),)


def _tight(mask: NDArray[np.bool_], where: str) -> Box:
    """Computes the box from the first to the last column and row of the puppet, inclusive."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(columns):
        raise RecordError(f"{where} is empty; it must show the person")
    return (
        float(columns[0]),
        float(rows[0]),
        float(columns[-1] - columns[0] + 1),
        float(rows[-1] - rows[0] + 1),
    )
