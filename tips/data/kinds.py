"""The layouts of datasets on disk: one reader each, by the scale's `dataset.kind`."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from tips.config import Dataset
from tips.data import jhmdb, posetrack, posetrack17, posetrack21
from tips.data.posetrack import Split
from tips.records import Annotations


class Kind(NamedTuple):
    """How one layout is read."""

    read: Callable[[Path, Dataset, Split, str], Annotations]  # root, settings, split, name
    labels: Callable[[Path, Dataset], list[Path]]  # every label file, all splits


KINDS: Final[dict[str, Kind]] = {
    "embedded": Kind(posetrack.read, posetrack.labels),
    "posetrack17": Kind(posetrack17.read, posetrack17.labels),
    "posetrack18": Kind(posetrack.read, posetrack.labels),
    "posetrack21": Kind(posetrack21.read, posetrack21.labels),
    "jhmdb": Kind(jhmdb.read, jhmdb.labels),
}
