"""Table S: how far synthesized poses are from where the joints really were between two frames.

The yardsticks beside R_{w,w+1} are the points at the same time s on the straight lines between
the model's own R_w and R_{w+1} and between the true neighbours.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from tips import records
from tips.evaluation.people import Floats, Ints, box_head_size
from tips.evaluation.true_motion import TrueMotion
from tips.records import RecordError

MAP_HEIGHT = 96  # map px of the paper's 384x288 crops; every scale reports in this unit
PCKH = 0.5
SOURCES = ("synthesized", "line between predicted", "line between true")
_TIME = 1e-6  # two times this close are one


class PersonScale(NamedTuple):
    """Sizes of one person at one labelled frame, image px."""

    crop_height: float
    head: float


Scales = Mapping[tuple[str, int], Mapping[int, PersonScale]]  # (sequence, track) -> frame -> sizes


class InBetween(NamedTuple):
    """One row per synthesized joint (n) of an interval without padding."""

    speed: Floats  # (n,) |R_{w+1} - R_w| of the truth, px of a 96-high map
    error: Floats  # (n, 3) per source, px of a 96-high map
    in_heads: Floats  # (n, 3) per source, head sizes


class SynthesisRow(NamedTuple):
    """One row of Table S. `quartile` is 0 for all joints, else 1 (slowest) to 4."""

    source: str
    quartile: int
    n: int
    error: float  # mean, px of a 96-high map
    pckh: float  # percent within half a head size


def crop_height(box: records.Box, aspect: float = 1.0, padding: float = 1.25) -> float:
    """Height in image px of the crop of a box: short side grown to the aspect, then padded.

    Args:
        box: x, y, width, height.
        aspect: width / height of the configured crop.
        padding: the crop's margin (1.25 in the DCPose family).
    """
    return max(box[3], box[2] / aspect) * padding


def person_scales(
    annotations: records.Annotations, height: Callable[[records.Box], float] = crop_height
) -> dict[tuple[str, int], dict[int, PersonScale]]:
    """Crop height and head size of every person at every labelled frame.

    Args:
        annotations: the split that was predicted.
        height: crop height of a box, as the run's windows were cut.
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
    """Compares every synthesized joint with the truth at its own time s = beta / 2 (Eq. 15).

    Intervals that touch a repeated frame at a clip's end are left out, and so are joints that are
    out of the scene. Sizes are those of the person's nearest labelled frame, the earlier on ties.

    Raises:
        RecordError: no true motion or no size of a person, or no truth at that time.
    """
    parts = list(_intervals(predictions, truth, scales))
    if not parts:
        return InBetween(np.empty(0), np.empty((0, 3)), np.empty((0, 3)))
    speed, error, in_heads = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return InBetween(speed, error, in_heads)


def _intervals(
    predictions: records.Predictions, truth: Mapping[str, TrueMotion], scales: Scales
) -> Iterator[tuple[Floats, Floats, Floats]]:
    for sequence in predictions.sequences:
        for item in sequence.between:
            if not item.padded:
                where = f"{sequence.name}, track {item.track}, interval {item.left}"
                left, right, target = _truth(sequence.name, item, truth, where)
                size = _nearest(scales, sequence.name, item, where)
                yield _compare(item, left, right, target, size)


def _compare(
    item: records.Between, left: Floats, right: Floats, target: Floats, size: PersonScale
) -> tuple[Floats, Floats, Floats]:
    def between(start: Floats, end: Floats) -> Floats:
        return (1 - item.time) * start + item.time * end

    own_left, own_right = (records.points_array(end) for end in item.ends)
    guesses = np.stack(
        [records.points_array(item.joints), between(own_left, own_right), between(left, right)],
        axis=1,
    )
    known = ~np.isnan(np.concatenate([left, right, target], axis=1)).any(axis=1)
    pixels = np.linalg.norm(guesses - target[:, None], axis=-1)[known]
    speed = np.linalg.norm(right - left, axis=-1)[known]
    scale = MAP_HEIGHT / size.crop_height
    return speed * scale, pixels * scale, pixels / size.head


def _truth(
    sequence: str, item: records.Between, truth: Mapping[str, TrueMotion], where: str
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
    """The three inner edges of the quartiles of true speed, px of a 96-high map."""
    if not len(samples.speed):
        return np.full(3, np.nan)
    edges: Floats = np.quantile(samples.speed, [0.25, 0.5, 0.75])
    return edges


def synthesis_table(samples: InBetween, edges: Floats | None = None) -> tuple[SynthesisRow, ...]:
    """Rows of Table S for one run: each source over all joints and by quartile of true speed.

    Args:
        samples: from `in_between_errors`; those of several seeds may be concatenated.
        edges: inner edges of the quartiles (3,), shared by rows that are compared; the samples'
            own when None.
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
            pckh=100 * _mean((samples.in_heads[rows, column] <= PCKH).astype(np.float64)),
        )
        for column, name in enumerate(SOURCES)
        for q, rows in groups
    )


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
