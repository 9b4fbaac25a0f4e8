"""Track ids for boxes that have none: greedy linking from frame to frame by overlap."""

from collections.abc import Sequence
from itertools import count
from typing import Final, NamedTuple

from tips.records import Box
from tips.video.boxes import PersonBox

OVERLAP: Final = 0.3  # lowest IoU at which two boxes are linked
PATIENCE: Final = 10  # number of frames for which a person may be out of sight


class _Last(NamedTuple):
    box: Box
    frame: int


class Linker:
    """Gives every box of a frame an id; a person keeps an id as long as the boxes overlap.

    Ids that boxes already have are kept. New ids are numbers from 0 that no box has had.
    """

    def __init__(self) -> None:
        self._seen: dict[int, _Last] = {}
        self._used: set[int] = set()
        self._numbers = count()

    def __call__(self, frame: int, boxes: Sequence[PersonBox]) -> list[int]:
        """Gives ids to the boxes of one frame, unique within it; it is called in frame order."""
        self._seen = {i: last for i, last in self._seen.items() if frame - last.frame <= PATIENCE}
        ids = {row: box.track for row, box in enumerate(boxes) if box.track is not None}
        ids |= self._linked(boxes, ids)
        self._used |= set(ids.values())
        for row in range(len(boxes)):
            if row not in ids:
                ids[row] = self._new()
        for row, box in enumerate(boxes):
            self._seen[ids[row]] = _Last(box.box, frame)
        return [ids[row] for row in range(len(boxes))]

    def _linked(self, boxes: Sequence[PersonBox], ids: dict[int, int]) -> dict[int, int]:
        """Pairs boxes without an id with tracks that are not taken, the largest overlap first."""
        taken = set(ids.values())
        pairs = sorted(
            (
                (-overlap(box.box, last.box), row, track)
                for row, box in enumerate(boxes)
                if row not in ids
                for track, last in self._seen.items()
                if track not in taken
            ),
        )
        found: dict[int, int] = {}
        for negative, row, track in pairs:
            if -negative >= OVERLAP and row not in found and track not in taken:
                found[row] = track
                taken.add(track)
        return found

    def _new(self) -> int:
        number = next(n for n in self._numbers if n not in self._used)
        self._used.add(number)
        return number


def overlap(a: Box, b: Box) -> float:
    """Computes the intersection over union of two boxes (x, y, width, height)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / (a[2] * a[3] + b[2] * b[3] - common)
