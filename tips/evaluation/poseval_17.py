"""Reads PoseTrack17's json: `annolist`, in which every number is a list of one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tips import skeleton
from tips.evaluation.people import Floats
from tips.evaluation.poseval_side import (
    NO_SCORE,
    Again,
    Side,
    listed,
    naming,
    numbers,
    optional,
    placed,
    rectangles,
)

_JOINT = {joint: joint for joint in range(skeleton.COUNT)}  # also finds 1.0, as poseval does


class _Points(NamedTuple):
    """Columns of the listed points."""

    place: list[int]  # 15 * person + joint
    x: list[Any]
    y: list[Any]
    score: list[Any]


def read_17(data: Mapping[str, Any], file: Path, *, predicted: bool) -> Side:
    """Reads one parsed file.

    Args:
        data: the parsed json.
        file: its file, for messages.
        predicted: whether it holds predictions; then scores are read, and head rectangles and
            ignore regions are not.

    Raises:
        RecordError: if a record is malformed; the message names file and record.
    """
    people: list[Mapping[str, Any]] = []
    names: list[str] = []
    starts, ignore, labelled = [0], [], []
    with naming(f"{file}: the file"):
        frames = listed(data["annolist"], "annolist")
    for index, record in enumerate(frames):
        frame = f"{file}: annolist[{index}]"
        with naming(frame):
            rows = listed(record["annorect"], "annorect")
            ignore.append([] if predicted else _regions(record, frame))
            labelled.append(_only(record, "is_labeled"))
        people += rows
        names += [f"{frame}.annorect[{row}]" for row in range(len(rows))]
        starts.append(len(people))
    first, again = _Points([], [], [], []), _Points([], [], [], [])
    heads, tracks, scores = [], [], []
    for row, (person, name) in enumerate(zip(people, names, strict=True)):
        with naming(name):
            _collect(person, row, first, again, scored=predicted)
            heads.append(None if predicted else _head(person))
            tracks.append(_only(person, "track_id"))
            scores.append(_only(person, "score") if predicted else None)
    points, joint_scores = _dense(first, names)
    return Side(
        joints=points,
        scores=joint_scores,
        again=_listed_again(again, names),
        heads=rectangles(heads, names.__getitem__),
        boxes=rectangles([None] * len(people), names.__getitem__),
        people=optional(scores, names.__getitem__),
        tracks=optional(tracks, names.__getitem__),
        starts=starts,
        ignore=[*ignore],
        labelled=labelled,
        frame_name=lambda index: f"{file}: annolist[{index}]",
        person_name=names.__getitem__,
    )


def _only(record: Mapping[str, Any], key: str) -> Any:
    """Gives the number of a list of one, or a plain one; None if key or number are missing."""
    value = record.get(key)
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _regions(record: Mapping[str, Any], frame: str) -> list[Floats]:
    rings = [
        [value for point in region["point"] for value in (point["x"][0], point["y"][0])]
        for region in record.get("ignore_regions", ())
    ]
    return [numbers(ring, lambda _: frame).reshape(-1, 2) for ring in rings]


def _head(person: Mapping[str, Any]) -> tuple[Any, ...] | None:
    if "x1" not in person:
        return None
    return tuple(person[key][0] for key in ("x1", "y1", "x2", "y2"))


def _collect(
    person: Mapping[str, Any], row: int, first: _Points, again: _Points, *, scored: bool
) -> None:
    """Adds a person's points to `first`, or to `again` if the joint was listed before."""
    holder = person.get("annopoints")
    if not holder or not holder[0] or "point" not in holder[0]:
        return
    seen: set[int] = set()
    for point in listed(holder[0]["point"], "point"):
        joint = _JOINT.get(point["id"][0]) if point["id"] is not None else None
        if joint is None:
            continue
        columns = again if joint in seen else first
        seen.add(joint)
        columns.place.append(skeleton.COUNT * row + joint)
        columns.x.append(point["x"][0])
        columns.y.append(point["y"][0])
        columns.score.append(point["score"][0] if scored and "score" in point else NO_SCORE)


def _arrays(points: _Points, names: list[str]) -> tuple[Floats, Floats]:
    """Makes arrays of coordinates (k, 2) and scores (k,) of the listed points."""

    def name(index: int) -> str:
        return names[points.place[index] // skeleton.COUNT]

    at = np.stack([numbers(points.x, name), numbers(points.y, name)], axis=1)
    return placed(at), numbers(points.score, name)


def _dense(points: _Points, names: list[str]) -> tuple[Floats, Floats]:
    joints = np.full((len(names), skeleton.COUNT, 2), np.nan)
    scores = np.full((len(names), skeleton.COUNT), NO_SCORE)
    at, score = _arrays(points, names)
    joints.reshape(-1, 2)[points.place] = at
    scores.reshape(-1)[points.place] = score
    return joints, scores


def _listed_again(points: _Points, names: list[str]) -> list[Again]:
    at, score = _arrays(points, names)
    return [
        Again(*divmod(place, skeleton.COUNT), point, float(value))
        for place, point, value in zip(points.place, at, score, strict=True)
    ]
