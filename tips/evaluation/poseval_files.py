"""Writes PoseTrack18 json that the real poseval accepts: `evaluateAP -g TRUTH/ -p FOUND/`."""

import re
from pathlib import Path
from typing import Any

from tips import records, skeleton
from tips.evaluation.people import counted, file_name
from tips.records import RecordError, write_json

# poseval parses the folder (number, source) and the frame number, below 10,000, of every file.
_FRAME_NAME = re.compile(r"(?:.*/)?(\d+)_(?:mpii|bonn|mpiinew)(?:_[^/]*)?/0*\d{1,4}\.\w+")


def write_18(
    predictions: records.Predictions, annotations: records.Annotations, folder: Path
) -> None:
    """Writes one file per annotated sequence: every frame in order, predicted people in order.

    A frame without people holds one dummy without joints, as every public PoseTrack code base
    writes it; it is no sample of any joint.

    Raises:
        RecordError: two sequences of one file name, or two frames of one id.
    """
    found = {item.name: item for item in predictions.sequences}
    for index, sequence in enumerate(annotations.sequences):
        poses = {
            item.frame: item.poses
            for item in (found[sequence.name].frames if sequence.name in found else ())
        }
        people = [
            [_found_person(track, pose) for track, pose in enumerate(poses.get(position, ()))]
            or [_dummy()]
            for position in range(len(sequence.frames))
        ]
        _write(folder, index, sequence, people, annotations)


def write_truth_18(annotations: records.Annotations, folder: Path) -> None:
    """Writes the truth of `write_18`; frames that do not count hold no people.

    Raises:
        RecordError: as `write_18`.
    """
    for index, sequence in enumerate(annotations.sequences):
        people = [
            [_true_person(person) for person in frame.people] if counted(frame) else []
            for frame in sequence.frames
        ]
        _write(folder, index, sequence, people, annotations)


def _write(
    folder: Path,
    index: int,
    sequence: records.Sequence,
    people: list[list[dict[str, Any]]],
    annotations: records.Annotations,
) -> None:
    names = [file_name(other.name) for other in annotations.sequences]
    if names.count(names[index]) > 1:
        raise RecordError(
            f"{annotations.dataset}: two sequences would be {names[index]}; rename one"
        )
    ids = [frame.id for frame in sequence.frames]
    if len(set(ids)) != len(ids):
        raise RecordError(
            f"{annotations.dataset}: {sequence.name}: frame ids repeat; make them unique"
        )
    images: list[dict[str, Any]] = []
    listed: list[dict[str, Any]] = []
    files = _frame_names(sequence, index)
    for frame, name, present in zip(sequence.frames, files, people, strict=True):
        images.append(_image(frame, name, index, len(ids)))
        for person in present:
            listed.append(person | {"id": len(listed) + 1, "image_id": frame.id, "category_id": 1})
    category = {"id": 1, "name": "person", "keypoints": list(skeleton.SLOTS_17)}
    data = {"images": images, "annotations": listed, "categories": [category]}
    write_json(data, folder / names[index])


def _frame_names(sequence: records.Sequence, index: int) -> list[str]:
    """The frames' own names where poseval can parse them as one video, else made-up ones."""
    names = [frame.file for frame in sequence.frames]
    parsed = [_FRAME_NAME.fullmatch(name) for name in names]
    if len({match[1] if match else None for match in parsed}) == 1 and all(parsed):
        return names
    return [f"images/val/{index:06d}_bonn_test/{i % 10_000:06d}.jpg" for i in range(len(names))]


def _image(frame: records.Frame, name: str, sequence: int, frames: int) -> dict[str, Any]:
    return {
        "id": frame.id,
        "frame_id": frame.id,
        "vid_id": f"{sequence:06d}",
        "nframes": frames,
        "is_labeled": counted(frame),
        "file_name": name,
        "ignore_regions_x": [[x for x, _ in ring] for ring in frame.ignore],
        "ignore_regions_y": [[y for _, y in ring] for ring in frame.ignore],
    }


def _found_person(track: int, pose: records.Pose) -> dict[str, Any]:
    scores = [0.0] * len(skeleton.SLOTS_17)
    for joint, score in zip(skeleton.JOINTS, pose.scores, strict=True):
        scores[skeleton.SLOTS_17.index(joint)] = score
    return {
        "track_id": track,
        "keypoints": _keypoints(pose.joints),
        "scores": scores,
        "score": pose.score,
    }


def _dummy() -> dict[str, Any]:
    return {
        "track_id": 0,
        "keypoints": _keypoints((None,) * skeleton.COUNT),
        "scores": [0.0] * len(skeleton.SLOTS_17),
        "score": -100.0,
    }


def _true_person(person: records.Person) -> dict[str, Any]:
    result: dict[str, Any] = {
        "track_id": person.track,
        "keypoints": _keypoints(person.joints),
        "bbox": list(person.box),
        "scores": [],
    }
    if person.head is not None:
        result["bbox_head"] = list(person.head)
    return result


def _keypoints(joints: tuple[records.Point | None, ...]) -> list[float]:
    values = [0.0] * (3 * len(skeleton.SLOTS_17))
    for name, point in zip(skeleton.JOINTS, joints, strict=True):
        if point is not None:
            at = 3 * skeleton.SLOTS_17.index(name)
            values[at : at + 3] = [*point, 1.0]
    return values
