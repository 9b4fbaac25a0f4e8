"""PoseTrack21 -> Annotations: PoseTrack18's files plus people who have a box and no keypoints.

An image says apart whether it has keypoints (`is_labeled`) and whether it has boxes
(`has_labeled_person`). Only the first kind is trained on and evaluated, as the set's own kit does;
box-only people of such an image stay in it as people without joints.
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
    """Reads one split of `posetrack_data`. Raises RecordError naming file and record."""
    return read_split(root, settings.annotations, split, dataset, kind=_File)
