"""Frame stores: (sequence, position) -> RGB frame, from image files or memory-mapped arrays."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tips.config import Dataset
from tips.ops.image import NumberedImages, read_image
from tips.paths import Paths
from tips.records import Annotations, RecordError, Sequence, atomic_path

# Every open memory map holds a file descriptor, and a process may have 1,024 by default. At most
# four stores are open at once: frames and interim frames of two splits.
OPEN_MAPS = 200


class FrameStore(Protocol):
    """The interface of what full frames are read from."""

    def __call__(self, sequence: str, frame: int) -> NDArray[np.uint8]:
        """Gives one frame.

        Args:
            sequence: the sequence's name in the annotations.
            frame: position in the sequence, from 0; for an interim frame its left neighbour's.

        Returns:
            (H, W, 3) RGB uint8; the array may be read-only.

        Raises:
            RecordError: if the file is missing or unreadable; the message names it.
        """
        ...


class FileFrames:
    """Frames read from the dataset's own image files."""

    def __init__(self, root: Path, annotations: Annotations) -> None:
        self.root = root
        self.sequences = {sequence.name: sequence for sequence in annotations.sequences}

    def __call__(self, sequence: str, frame: int) -> NDArray[np.uint8]:
        """Reads one frame (H, W, 3) RGB. Raises RecordError naming the file."""
        if sequence not in self.sequences:
            raise RecordError(f"{self.root}: the annotations hold no sequence '{sequence}'")
        frames = self.sequences[sequence].frames
        if not 0 <= frame < len(frames):
            raise RecordError(f"{self.root}: '{sequence}' has {len(frames)} frames; asked: {frame}")
        return read_image(self.root / frames[frame].file)


class PackedFrames:
    """Frames in files folder/{sequence}.npy (T, H, W, 3), memory-mapped, so nothing is decoded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._map = functools.lru_cache(OPEN_MAPS)(self._open)

    def __call__(self, sequence: str, frame: int) -> NDArray[np.uint8]:
        """Reads one frame (H, W, 3) RGB, read-only. Raises RecordError naming the file."""
        block = self._map(sequence)
        if not 0 <= frame < len(block):
            path = self.folder / f"{sequence}.npy"
            raise RecordError(f"{path}: holds {len(block)} frames; asked: {frame}")
        return np.asarray(block[frame])

    def __reduce__(self) -> tuple[type["PackedFrames"], tuple[Path]]:
        """Pickles only the folder, so that worker processes open their own memory maps."""
        return PackedFrames, (self.folder,)

    def _open(self, sequence: str) -> NDArray[np.uint8]:
        path = self.folder / f"{sequence}.npy"
        try:
            block = np.load(path, mmap_mode="r")
        except FileNotFoundError as error:
            raise RecordError(
                f"{path}: no such file; run the rule that packs the frames"
            ) from error
        except (ValueError, EOFError) as error:
            raise RecordError(f"{path}: truncated or not an array; delete it and rerun") from error
        if block.ndim != 4 or block.shape[-1] != 3 or block.dtype != np.uint8:
            raise RecordError(
                f"{path}: must be uint8 (T, H, W, 3); got {block.dtype} {block.shape}"
            )
        return np.asarray(block)


def write_packed(frames: Iterable[NDArray[np.uint8]], path: Path) -> None:
    """Writes frames (H, W, 3) as one array (T, H, W, 3), atomically.

    Raises:
        RecordError: if the frames differ in size.
        OSError: if the disk is full.
    """
    block = list(frames)
    if len({frame.shape for frame in block}) > 1:
        shapes = ", ".join(sorted({f"{frame.shape[1]}x{frame.shape[0]}" for frame in block}))
        raise RecordError(f"{path.stem}: a sequence has frames of one size; got {shapes}")
    array = np.stack(block) if block else np.empty((0, 1, 1, 3), np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        # np.save does the same, but its error does not say why a write failed.
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(array.data)


def pack(sequence: Sequence, frames: FrameStore, folder: Path) -> None:
    """Decodes the frames of one sequence into folder/{name}.npy.

    Args:
        sequence: the sequence.
        frames: store that its frames are read from.
        folder: where the file is written.

    Raises:
        RecordError: if a frame cannot be read; the message names the file.
    """
    positions = range(len(sequence.frames))
    write_packed((frames(sequence.name, k) for k in positions), folder / f"{sequence.name}.npy")


def open_frames(dataset: Dataset, paths: Paths, annotations: Annotations) -> FrameStore:
    """Opens the frames of a split.

    Args:
        dataset: settings that say whether frames are packed.
        paths: folders of the study.
        annotations: annotations of the split.
    """
    if dataset.frames == "packed":
        return PackedFrames(paths.packed / annotations.split)
    return FileFrames(paths.root, annotations)


def open_interim(dataset: Dataset, paths: Paths, generator: str, split: str) -> FrameStore:
    """Opens the interim frames of a split; frame w of the store lies between w and w + 1.

    Args:
        dataset: settings that say whether frames are packed.
        paths: folders of the study.
        generator: kind of generator that made them.
        split: name of the split.
    """
    folder = paths.interim(generator) / split
    return PackedFrames(folder) if dataset.frames == "packed" else NumberedImages(folder)
