"""The layouts of datasets on disk: one reader each, by the scale's `dataset.kind`."""

import importlib
from pathlib import Path
from typing import Final, Protocol

from tips.config import Dataset
from tips.config.embedded import Split
from tips.records import Annotations

# A rendered set is written in PoseTrack18's layout.
READERS: Final = {
    "embedded": "posetrack",
    "posetrack17": "posetrack17",
    "posetrack18": "posetrack",
    "posetrack21": "posetrack21",
    "jhmdb": "jhmdb",
}


class Reader(Protocol):
    """How one layout is read: a module with two functions."""

    def read(self, root: Path, dataset: Dataset, split: Split, name: str) -> Annotations:
        """Reads one split."""

    def labels(self, root: Path, dataset: Dataset) -> list[Path]:
        """Lists every label file of all splits."""


def module(kind: str) -> str:
    """Names the module that reads a kind of dataset."""
    return f"tips.data.{READERS[kind]}"


def reader(kind: str) -> Reader:
    """Loads the reader of a kind of dataset, and no other."""
    found: Reader = importlib.import_module(module(kind))  # type: ignore[assignment]
    return found
