"""PoseTrack21 -> Annotations: PoseTrack18's files plus people who have a box and no keypoints.

An image has two flags: whether it has keypoints (`is_labeled`) and whether it has boxes
(`has_labeled_person`). Only images with keypoints are trained on and evaluated, as the dataset's
own kit does. People of such an image who have only a box are kept as people without joints.
"""

from collections.abc import Sequence as Rows
from pathlib import Path

from pydantic import Field, field_validator

from tips.config import Dataset
from tips.data.posetrack import Annotation, File, Split, labels, read_split
from tips.records import Annotations

__all__ = ["labels", "read"]


class _Annotation(Annotation):
    keypoints: list[float] = Field(default_factory=list)

    @field_validator("bbox", "bbox_head", mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        return value or None

    @property
    def box_only(self) -> bool:
        return not self.keypoints


class _File(File):
    annotations: Rows[_Annotation]


def read(root: Path, settings: Dataset, split: Split, dataset: str) -> Annotations:
    """Reads one split.

    Args:
        root: the dataset's folder.
        settings: names the label folder, `annotations`.
        split: `train` or `val`.
        dataset: the dataset's name, for the result.

    Raises:
        RecordError: if a file is malformed; the message names file and record.
    """
    return read_split(root, settings.annotations, split, dataset, kind=_File)
