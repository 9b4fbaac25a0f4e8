"""Table S: distances of synthesized poses from the true joints between two frames.

R_{w,w+1} is compared with others at the same time s: what C_real reads directly from the rough
interim frame, if there is one and s is 0.5; the point on the straight line between R_w and R_{w+1},
as C_real reads them; and the point on the line between the true joints of both frames.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tips import records
from tips.evaluation.people import Floats, Ints, box_head_size
from tips.evaluation.true_motion import TrueMotion
from tips.records import RecordError

MAP_HEIGHT = 96  # height of the paper's maps, map px; every scale reports in their px
PCKH = 0.5
SOURCES = (
    "synthesized",
    "rough frame read directly",
    "line between predicted",
    "line between true",
)
_TIME = 1e-6  # two times that differ by less are the same


class PersonScale(NamedTuple):
    """Sizes of one person at one labelled frame, image px."""

    crop_height: float
    head: float


Scales = Mapping[tuple[str, int], Mapping[int, PersonScale]]  # (sequence, track) -> frame -> sizes


class InBetween(NamedTuple):
    """One row per joint (n) of the synthesized poses of intervals without padding."""

    speed: Floats  # (n,) |R_{w+1} - R_w| of the truth, px of a 96-high map
    error: Floats  # (n, sources) distance of each from the truth, px of a 96-high map
    in_heads: Floats  # (n, sources) the same in head sizes


class SynthesisRow(NamedTuple):
    """One row of Table S."""

    source: str
    quartile: int  # of the true speed, from 1 (slowest) to 4; 0: all joints
    n: int  # number of joints
    error: float  # mean distance, px of a 96-high map
    pckh: float  # percent within half a head size


def crop_height(box: records.Box, aspect: float = 1.0, padding: float = 1.25) -> float:
    """Computes the height, image px, of what a person's crop shows.

    The box's shorter side is grown to the crop's aspect, then both are enlarged.

    Args:
        box: x, y, width, height, image px.
        aspect: width / height of the crop.
        padding: factor by which the box is enlarged; 1.25 in the DCPose family.
    """
    return max(box[3], box[2] / aspect) * padding


def person_scales(
    annotations: records.Annotations, height: Callable[[records.Box], float] = crop_height
) -> dict[tuple[str, int], dict[int, PersonScale]]:
    """Computes crop height and head size of every person in every labelled frame.

    Args:
        annotations: annotations of the split that was predicted.
        height: gives the crop's height for a box, as the run's windows were cut.

    Returns:
        Sizes by sequence and track, then by frame.
    """
    scales: dict[tuple[str, int], dict[int, PersonScale]] = {}
    for sequence in annotations.sequences:
        for position, frame in enumerate(sequence.frames):
            for person in frame.people if frame.labelled else ():
                head = np.nan if person.head is None else box_head_size(person.head)
                size = PersonScale(height(person.box), head)
                scales.setdefault((sequence.name, person.track), {})[position] = size
    return scales


def in_between_errors(
    predictions: records.Predictions, truth: Mapping[str, TrueMotion], scales: Scales
) -> InBetween:
    """Compares every joint of the synthesized poses with the truth at s = beta / 2 (Eq. 15).

    Intervals that touch a repeated frame at a clip's end are left out, and so are joints that are
    outside the scene. Sizes are those of the person's nearest labelled frame, the earlier of two.

    Args:
        predictions: predictions with synthesized poses.
        truth: true motion of each sequence, by name.
        scales: sizes of the people, from `person_scales`.

    Raises:
        RecordError: if a person has no true motion or no size, or if there is no truth at a time.
    """
    parts = [
        _compare(sequence.name, items, truth, scales)
        for sequence in predictions.sequences
        if (items := [item for item in sequence.between if not item.padded])
    ]
    if not parts:
        return InBetween(np.empty(0), np.empty((0, len(SOURCES))), np.empty((0, len(SOURCES))))
    return InBetween(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _compare(
    sequence: str,
    items: Sequence[records.Between],
    truth: Mapping[str, TrueMotion],
    scales: Scales,
) -> InBetween:
    """Compares the synthesized poses of n intervals of one sequence."""
    names = [f"{sequence}, track {item.track}, interval {item.left}" for item in items]
    known = [_truth(sequence, *one, truth) for one in zip(items, names, strict=True)]
    left, right, target = (np.stack(part) for part in zip(*known, strict=True))  # (n, 15, 2)
    sizes = [_nearest(scales, sequence, *one) for one in zip(items, names, strict=True)]
    time = np.array([item.time for item in items])[:, None, None]

    def between(start: Floats, end: Floats) -> Floats:
        return (1 - time) * start + time * end

    ends = np.array([item.ends for item in items], dtype=np.float64)  # (n, 2, 15, 2)
    guesses = np.stack(
        [
            np.array([item.joints for item in items], dtype=np.float64),
            np.array([_halfway(item) for item in items], dtype=np.float64),
            between(ends[:, 0], ends[:, 1]),
            between(left, right),
        ],
        axis=2,
    )
    inside = ~np.isnan(np.concatenate([left, right, target], axis=2)).any(axis=2)  # (n, 15)
    pixels = np.linalg.norm(guesses - target[:, :, None], axis=-1)  # (n, 15, sources)
    speed = np.linalg.norm(right - left, axis=-1)
    scale = MAP_HEIGHT / np.array([size.crop_height for size in sizes])
    head = np.array([size.head for size in sizes])
    return InBetween(
        _single((speed * scale[:, None])[inside]),
        _single((pixels * scale[:, None, None])[inside]),
        _single((pixels / head[:, None, None])[inside]),
    )


def _single(values: Floats) -> Floats:
    """Rounds to single precision, in which the evidence is kept."""
    return values.astype(np.float32).astype(np.float64)


def _halfway(item: records.Between) -> Sequence[records.Point]:
    """Gives what was read from the rough frame, NaN where nothing was."""
    # An interim frame shows the moment halfway, so at other times it says nothing.
    if item.rough and abs(item.time - 0.5) < _TIME:
        return item.rough
    return [(np.nan, np.nan)] * len(item.joints)


def _truth(
    sequence: str, item: records.Between, where: str, truth: Mapping[str, TrueMotion]
) -> tuple[Floats, Floats, Floats]:
    if sequence not in truth or item.track not in truth[sequence].people:
        raise RecordError(f"{where}: no true motion; only rendered data has it")
    person = truth[sequence].people[item.track]
    if not 0 <= item.left < len(person.joints) - 1:
        raise RecordError(
            f"{where}: the sequence has intervals 0 to {len(person.joints) - 2}; predict anew"
        )
    times = [time for time in person.between if abs(time - item.time) < _TIME]
    if not times:
        raise RecordError(
            f"{where}: no true joints at s = {item.time:g}; rendered are {sorted(person.between)}"
        )
    at = item.left
    return person.joints[at], person.joints[at + 1], person.between[times[0]][at]


def _nearest(scales: Scales, sequence: str, item: records.Between, where: str) -> PersonScale:
    frames = scales.get((sequence, item.track))
    if not frames:
        raise RecordError(f"{where}: the person is labelled in no frame, so has no size")
    middle = item.left + item.time
    size = frames[min(sorted(frames), key=lambda frame: abs(frame - middle))]
    if not (size.crop_height > 0 and size.head > 0):
        raise RecordError(f"{where}: box and head must have a positive size; got {size}")
    return size


def speed_quartiles(samples: InBetween) -> Floats:
    """Computes the three inner edges of the quartiles of true speed, px of a 96-high map."""
    if not len(samples.speed):
        return np.full(3, np.nan)
    edges: Floats = np.quantile(samples.speed, [0.25, 0.5, 0.75])
    return edges


def synthesis_table(samples: InBetween, edges: Floats | None = None) -> tuple[SynthesisRow, ...]:
    """Computes the rows of Table S: each source, over all joints and by quartile of true speed.

    Args:
        samples: from `in_between_errors`; those of several seeds may be concatenated.
        edges: inner edges of the quartiles (3,), which rows that are compared must share; None:
            those of the samples.
    """
    inner = speed_quartiles(samples) if edges is None else edges
    quartile = 1 + np.searchsorted(inner, samples.speed, side="left")
    groups: list[tuple[int, Ints]] = [(0, np.arange(len(samples.speed)))]
    groups += [(q, np.flatnonzero(quartile == q)) for q in range(1, 5)]
    return tuple(
        SynthesisRow(
            source=name,
            quartile=q,
            n=len(rows),
            error=_mean(samples.error[rows, column]),
            pckh=100 * _mean(_within(samples.in_heads[rows, column])),
        )
        for column, name in enumerate(SOURCES)
        for q, rows in groups
    )


def _within(in_heads: Floats) -> Floats:
    """Marks distances within half a head size by 1, others by 0, unknown ones by NaN."""
    return np.where(np.isnan(in_heads), np.nan, in_heads <= PCKH)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
