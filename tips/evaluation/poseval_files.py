"""Writes PoseTrack's json in a form that poseval accepts: `evaluateAP -g TRUTH/ -p FOUND/`."""

import json
import re
from collections.abc import Callable, Iterator
from collections.abc import Sequence as Rows
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Literal, NamedTuple

from tips import records, skeleton
from tips.evaluation.people import counted, file_name
from tips.records import RecordError, atomic

Style = Literal[17, 18]
Rings = tuple[tuple[records.Point, ...], ...]
MAX_TRACK = 10_000  # poseval refuses this and larger ids
# Of every file's name, poseval parses the folder (number and source) and the number of the frame,
# which must be below 10,000.
_FRAME_NAME = re.compile(r"(?:.*/)?(\d+)_(?:mpii|bonn|mpiinew)(?:_[^/]*)?/0*\d{1,4}\.\w+")


class _Written(NamedTuple):
    """One annotated or predicted person of one frame."""

    track: int
    joints: tuple[records.Point | None, ...]
    scores: tuple[float, ...] = ()  # scores of joints, for predictions only
    score: float | None = None
    head: records.Box | None = None  # for the truth only
    box: records.Box | None = None


# Paper: public PoseTrack17 writers give a frame without people a joint at (0, 0) of score -100;
# here: a person without joints, because that joint would count as a false positive.
_DUMMY = _Written(0, (None,) * skeleton.COUNT, (0.0,) * skeleton.COUNT, -100.0)


def write_found(
    predictions: records.Predictions,
    annotations: records.Annotations,
    folder: Path,
    style: Style = 18,
) -> None:
    """Writes the predictions, one file per annotated sequence, with all frames in order.

    Track ids number the people of a frame, and all 15 joints of everybody are written. A frame
    without people holds one dummy without joints, which counts as no predicted joint.

    Args:
        predictions: the predictions.
        annotations: annotations of the same split.
        folder: where the files are written.
        style: year of PoseTrack's format, 17 or 18.

    Raises:
        RecordError: if two sequences have the same file name, or two frames the same id.
    """
    found = {item.name: item for item in predictions.sequences}
    for sequence in annotations.sequences:
        poses = {
            item.frame: item.poses
            for item in (found[sequence.name].frames if sequence.name in found else ())
        }
        people = [
            [
                _Written(track, pose.joints, pose.scores, pose.score)
                for track, pose in enumerate(poses.get(position, ()))
            ]
            or [_DUMMY]
            for position in range(len(sequence.frames))
        ]
        _write(folder, sequence, people, annotations, style)


@contextmanager
def stream_found(
    stream: IO[str], files: Rows[str]
) -> Iterator[Callable[[Rows[tuple[records.Pose, records.Box]]], None]]:
    """Writes one sequence's predictions frame by frame, in PoseTrack18's style.

    Unlike `write_found` it keeps the poses' own track ids, which must differ within a frame, and it
    adds the boxes. It never holds more than one frame in memory.

    Args:
        stream: the file, open for writing.
        files: names of the frames, whose ids are 0, 1, ...

    Yields:
        A function that adds the people of the next frame, each a pose and its box.
    """
    names = _parsable(files, 0)
    images = [
        _new_image(frame, name, 0, len(names)) | {"is_labeled": True}
        for frame, name in enumerate(names)
    ]
    frame = people = 0
    head = {"images": images, "categories": [_CATEGORY]}
    stream.write(json.dumps(head)[:-1] + ', "annotations": [')

    def add(present: Rows[tuple[records.Pose, records.Box]]) -> None:
        nonlocal frame, people
        written = [
            _Written(pose.track, pose.joints, pose.scores, pose.score, box=box)
            for pose, box in present
        ]
        for person in written or [_DUMMY]:
            people += 1
            stream.write(", " * (people > 1) + json.dumps(_new_row(person, people, frame)))
        frame += 1

    yield add
    stream.write("]}")


def write_truth(annotations: records.Annotations, folder: Path, style: Style = 18) -> None:
    """Writes the truth to the predictions of `write_found`; frames that do not count are empty.

    Args:
        annotations: annotations of the split.
        folder: where the files are written.
        style: year of PoseTrack's format, 17 or 18.

    Raises:
        RecordError: as `write_found`, or if a person has joints without a head rectangle.
    """
    for sequence in annotations.sequences:
        track = _tracks(sequence)
        people = [
            [
                _Written(
                    track(person.track), person.joints, head=_head(person, frame), box=person.box
                )
                for person in (frame.people if counted(frame) else ())
            ]
            for frame in sequence.frames
        ]
        _write(folder, sequence, people, annotations, style)


def _head(person: records.Person, frame: records.Frame) -> records.Box:
    """Gives a person's head rectangle; of people without joints it may be missing.

    poseval wants one of everybody, so these get one of size zero.
    """
    if person.head is None and any(point is not None for point in person.joints):
        raise RecordError(
            f"{frame.file}: track {person.track} has joints but no head rectangle, the unit of "
            "every distance; annotate the head"
        )
    return person.head or (0.0, 0.0, 0.0, 0.0)


def _tracks(sequence: records.Sequence) -> Callable[[int], int]:
    """Gives a function from the sequence's track ids to ids that poseval accepts.

    They are the same ids if poseval accepts all of them, else numbers from 0.
    """
    ids = sorted({person.track for frame in sequence.frames for person in frame.people})
    if not ids or (ids[0] >= 0 and ids[-1] < MAX_TRACK):
        return int
    return {track: index for index, track in enumerate(ids)}.__getitem__


def _write(
    folder: Path,
    sequence: records.Sequence,
    people: list[list[_Written]],
    annotations: records.Annotations,
    style: Style,
) -> None:
    names = [file_name(other.name) for other in annotations.sequences]
    name = file_name(sequence.name)
    if names.count(name) > 1:
        raise RecordError(f"{annotations.dataset}: two sequences would be {name}; rename one")
    ids = [frame.id for frame in sequence.frames]
    if len(set(ids)) != len(ids):
        raise RecordError(
            f"{annotations.dataset}: {sequence.name}: frame ids repeat; make them unique"
        )
    index = names.index(name)
    data = (_old if style == 17 else _new)(sequence, people, index)
    with atomic(folder / name) as stream:
        stream.write(json.dumps(data))


def _frame_names(sequence: records.Sequence, index: int) -> Rows[str]:
    """Gives the frames' names if poseval can parse them as one video's, else invented ones."""
    return _parsable([frame.file for frame in sequence.frames], index)


def _parsable(names: Rows[str], index: int) -> Rows[str]:
    parsed = [_FRAME_NAME.fullmatch(name) for name in names]
    if len({match[1] if match else None for match in parsed}) == 1 and all(parsed):
        return names
    return [f"images/val/{index:06d}_bonn_test/{i % 10_000:06d}.jpg" for i in range(len(names))]


# PoseTrack18.

_CATEGORY: Final = {"id": 1, "name": "person", "keypoints": list(skeleton.SLOTS_17)}


def _new(sequence: records.Sequence, people: list[list[_Written]], index: int) -> dict[str, Any]:
    names = _frame_names(sequence, index)
    images: list[dict[str, Any]] = []
    listed: list[dict[str, Any]] = []
    for frame, name, present in zip(sequence.frames, names, people, strict=True):
        images.append(
            _new_image(frame.id, name, index, len(names), frame.ignore)
            | {"is_labeled": counted(frame)}
        )
        for person in present:
            listed.append(_new_row(person, len(listed) + 1, frame.id))
    return {"images": images, "annotations": listed, "categories": [_CATEGORY]}


def _new_image(
    number: int, name: str, index: int, count: int, ignore: Rings = ()
) -> dict[str, Any]:
    return {
        "id": number,
        "frame_id": number,
        "vid_id": f"{index:06d}",
        "nframes": count,
        "file_name": name,
        "ignore_regions_x": [[x for x, _ in ring] for ring in ignore],
        "ignore_regions_y": [[y for _, y in ring] for ring in ignore],
    }


def _new_row(person: _Written, number: int, image: int) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": 1} | _new_person(person)


def _new_person(person: _Written) -> dict[str, Any]:
    """Fills all 17 keypoint slots; ears and absent joints are (0, 0, 0)."""
    keypoints = [0.0] * (3 * len(skeleton.SLOTS_17))
    scores = [0.0] * len(skeleton.SLOTS_17) if person.scores else []
    for joint, name in enumerate(skeleton.JOINTS):
        slot, point = skeleton.SLOTS_17.index(name), person.joints[joint]
        if point is not None:
            keypoints[3 * slot : 3 * slot + 3] = [*point, 1.0]
        if person.scores:
            scores[slot] = person.scores[joint]
    result: dict[str, Any] = {
        "track_id": person.track,
        "keypoints": keypoints,
        "scores": scores,
        "score": person.score,
        "bbox": person.box,
        "bbox_head": person.head,
    }
    return {key: value for key, value in result.items() if value is not None}


# PoseTrack17.


def _old(sequence: records.Sequence, people: list[list[_Written]], index: int) -> dict[str, Any]:
    names = _frame_names(sequence, index)
    frames = []
    for number, (frame, name, present) in enumerate(
        zip(sequence.frames, names, people, strict=True), start=1
    ):
        rings = [[{"x": [x], "y": [y]} for x, y in ring] for ring in frame.ignore]
        frames.append(
            {
                "image": [{"name": name}],
                "imgnum": [number],
                "is_labeled": [int(counted(frame))],
                "ignore_regions": [{"point": ring} for ring in rings],
                "annorect": [_old_person(person) for person in present],
            }
        )
    return {"annolist": frames}


def _old_person(person: _Written) -> dict[str, Any]:
    points = []
    for joint, point in enumerate(person.joints):
        if point is not None:
            values: dict[str, list[float]] = {"id": [joint], "x": [point[0]], "y": [point[1]]}
            points.append(values | ({"score": [person.scores[joint]]} if person.scores else {}))
    result: dict[str, Any] = {"track_id": [person.track], "annopoints": [{"point": points}]}
    if person.score is not None:
        result["score"] = [person.score]
    if person.head is not None:
        x, y, width, height = person.head
        result |= {"x1": [x], "y1": [y], "x2": [x + width], "y2": [y + height]}
    return result
