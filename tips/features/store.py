"""Features on disk: one array (windows, C, h, w) per offset from t, memory-mapped.

Features of a backbone in bfloat16 are stored in it, which loses nothing; others in float32.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from tips.records import RecordError


class FeatureWriter:
    """Writes the features of a set of windows, chunk by chunk, into a new folder.

    Args:
        folder: the folder; what an earlier process left there is removed.
        offsets: offsets of the frames, from t.
        windows: number of windows.
        half: whether the backbone runs in bfloat16.
    """

    def __init__(self, folder: Path, offsets: Sequence[int], windows: int, *, half: bool) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, self.offsets, self.windows = folder, tuple(offsets), windows
        self._arrays: list[NDArray[np.generic]] = []
        self._half = half

    def write(self, first: int, features: Float[Tensor, "n T C h w"]) -> None:
        """Writes the features of n windows from number `first` on.

        Raises:
            RecordError: if the disk has no room for all windows.
        """
        if not self._arrays:
            self._open(features)
        stored = features.bfloat16() if self._half else features
        assert torch.equal(stored.float(), features), "a backbone in bfloat16 gives bfloat16"
        values = (stored.view(torch.int16) if self._half else stored).cpu().numpy()
        for position, array in enumerate(self._arrays):
            array[first : first + len(values)] = values[:, position]

    def close(self) -> None:
        """Writes everything to disk."""
        for array in self._arrays:
            assert isinstance(array, np.memmap)
            array.flush()
        self._arrays = []

    def _open(self, features: Tensor) -> None:
        self._half = self._half and torch.equal(features.bfloat16().float(), features)
        shape = (self.windows, *features.shape[2:])
        dtype = np.int16 if self._half else np.float32
        needed = len(self.offsets) * int(np.prod(shape)) * np.dtype(dtype).itemsize
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise RecordError(
                f"{self.folder}: features need {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} "
                "GiB are free; make room, or set `features: live` in the scale"
            )
        self._arrays = [
            np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
                array_file(self.folder, offset), mode="w+", dtype=dtype, shape=shape
            )
            for offset in self.offsets
        ]


class Features:
    """Reads the features of windows.

    Args:
        folder: the folder that a `FeatureWriter` wrote.
        offsets: offsets of the frames that a reader wants, from t.

    Raises:
        RecordError: if an array is missing or damaged; the message names it.
    """

    def __init__(self, folder: Path, offsets: Sequence[int]) -> None:
        self._arrays = [_array(array_file(folder, offset)) for offset in offsets]

    def __len__(self) -> int:
        return len(self._arrays[0])

    def __call__(self, windows: Sequence[int]) -> Float[Tensor, "n T C h w"]:
        """Reads the features of some windows, by their numbers."""
        rows = list(windows)
        values = torch.from_numpy(np.stack([array[rows] for array in self._arrays], axis=1))
        if values.dtype == torch.int16:
            values = values.view(torch.bfloat16)
        return values.float()


def array_file(folder: Path, offset: int) -> Path:
    """Names the file of the frames at one offset from t."""
    return folder / f"{offset:+d}.npy"


def _array(path: Path) -> NDArray[np.generic]:
    try:
        found: NDArray[np.generic] = np.load(path, mmap_mode="r")
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; run the rule that makes it") from error
    except (ValueError, EOFError) as error:
        raise RecordError(f"{path}: truncated or not an array; delete its folder") from error
    return found
