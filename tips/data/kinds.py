"""The readers of datasets, one per layout on disk; the scale's `dataset.kind` chooses one."""

import importlib
from pathlib import Path
from typing import Final, Protocol

from tips.config import Dataset
from tips.config.embedded import Split
from tips.records import Annotations

# The rendered dataset, `embedded`, is written in PoseTrack18's layout.
READERS: Final = {
    "embedded": "posetrack",
    "posetrack17": "posetrack17",
    "posetrack18": "posetrack",
    "posetrack21": "posetrack21",
    "jhmdb": "jhmdb",
}


class Reader(Protocol):
    """The interface of a reader, which is a module with two functions."""

    def read(self, root: Path, dataset: Dataset, split: Split, name: str) -> Annotations:
        """Reads one split.

        Args:
            root: the dataset's folder.
            dataset: the dataset's settings.
            split: the split.
            name: the dataset's name, for the result.

        Raises:
            RecordError: if a file is malformed; the message names file and record.
        """

    def labels(self, root: Path, dataset: Dataset) -> list[Path]:
        """Lists the label files of all splits."""


def module(kind: str) -> str:
    """Names the module that reads a kind of dataset."""
    return f"tips.data.{READERS[kind]}"


def reader(kind: str) -> Reader:
    """Loads the reader of a kind of dataset; the modules of other kinds are not imported."""
    found: Reader = importlib.import_module(module(kind))  # type: ignore[assignment]
    return found
