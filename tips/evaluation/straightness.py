"""Measures how straight joints move: the paper's linear trajectory (Eq. 4) on annotated tracks.

A joint in frame t is compared with the midpoint of the same joint in frames t - gap and t + gap.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tips.evaluation.people import HEAD_FACTOR
from tips.records import Annotations

Floats = NDArray[np.float64]
NEAR = 0.5  # head sizes; within it PoseTrack's metric counts a hit


class Track(NamedTuple):
    """One person of one sequence, over its labelled frames."""

    frames: NDArray[np.int64]  # (n,) positions, rising
    joints: Floats  # (n, J, 2) image px, NaN where absent
    heads: Floats  # (n,) head size, px; NaN where there is no head box


class Straightness(NamedTuple):
    """Distances of joints from the midpoints of their neighbours; None if there are no joints."""

    gap: int  # frames
    joints: int  # number of joints that have both neighbours
    median_px: float | None  # image px
    measured: int  # number of those in a frame with a head box
    median: float | None  # head sizes
    p95: float | None  # 95th percentile, head sizes
    near: float | None  # share within half a head size


def straightness(annotations: Annotations, gaps: Sequence[int]) -> list[Straightness]:
    """Measures every labelled track of a split at several gaps, in frames."""
    known = list(tracks(annotations))
    return [measure(known, gap) for gap in gaps]


def measure(known: Sequence[Track], gap: int) -> Straightness:
    """Measures tracks at one gap, in frames."""
    pairs = [_errors(track, gap) for track in known]
    pixels = np.concatenate([np.empty(0), *(px for px, _ in pairs)])
    heads = np.concatenate([np.empty(0), *(head for _, head in pairs)])
    relative = (pixels / heads)[np.isfinite(heads)]
    return Straightness(
        gap=gap,
        joints=len(pixels),
        median_px=_quantile(pixels, 0.5),
        measured=len(relative),
        median=_quantile(relative, 0.5),
        p95=_quantile(relative, 0.95),
        near=round(float((relative <= NEAR).mean()), 4) if len(relative) else None,
    )


def tracks(annotations: Annotations) -> Iterator[Track]:
    """Yields one track per labelled person of every sequence."""
    for sequence in annotations.sequences:
        rows: dict[int, list[tuple[int, Floats, float]]] = {}
        for position, frame in enumerate(sequence.frames):
            for person in frame.people if frame.labelled else ():
                size = np.nan if person.head is None else float(np.hypot(*person.head[2:]))
                row = (position, person.points, HEAD_FACTOR * size)
                rows.setdefault(person.track, []).append(row)
        for row_list in rows.values():
            frames, joints, heads = zip(*row_list, strict=True)
            yield Track(np.array(frames), np.stack(joints), np.array(heads))


def _errors(track: Track, gap: int) -> tuple[Floats, Floats]:
    """Computes each joint's distance from the midpoint, image px, and its frame's head size."""
    places = {int(frame): row for row, frame in enumerate(track.frames)}
    triples = [
        (places[frame - gap], row, places[frame + gap])
        for frame, row in places.items()
        if frame - gap in places and frame + gap in places
    ]
    if not triples:
        return np.empty(0), np.empty(0)
    before, here, after = np.array(triples).T
    middle = (track.joints[before] + track.joints[after]) / 2
    away = np.linalg.norm(track.joints[here] - middle, axis=-1)
    sizes = np.broadcast_to(track.heads[here][:, None], away.shape)
    known = np.isfinite(away)
    return away[known], sizes[known]


def _quantile(values: Floats, share: float) -> float | None:
    return round(float(np.quantile(values, share)), 4) if len(values) else None
