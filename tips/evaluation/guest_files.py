"""Reads a guest's folder: PoseTrack's json of the validation split, which anything may have made.

Every sequence of the split has one file, named as `tips stage export` names it, and every frame of
a sequence is in its file, in order. What differs is refused before anything is computed.
"""

import hashlib
from collections.abc import Sequence as Rows
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import numpy as np

from tips.config.guests import Guest, guest_file
from tips.evaluation.oks import person_scores
from tips.evaluation.people import FoundFrame, counted, file_name, polygon
from tips.evaluation.poseval_reader import check_tracks, image_names, parsed, side_of, uncover
from tips.evaluation.poseval_side import Side
from tips.paths import Paths
from tips.provenance import file_digest
from tips.records import (
    Annotations,
    Frame,
    FramePoses,
    Pose,
    Predictions,
    RecordError,
    Sequence,
    SequencePredictions,
    content,
    read,
    read_object,
)

PEER_FOLDER: Final = "posetrack"  # of a peer's json, among the guest's files
GUEST: Final = "guest"  # stands in a guest's records for the source of boxes, its own matter
LARGEST_TRACK: Final = 2**31


class GuestFolder(NamedTuple):
    """The json files of a guest, by name; `told_by` names the folder in messages."""

    files: dict[str, Path]
    told_by: str


def guest_folder(name: str, guest: Guest, paths: Paths, experiments: Path) -> GuestFolder:
    """Lists the files of a guest: those of its own folder, or those that a peer left in the study.

    Args:
        name: its name.
        guest: its settings.
        paths: the study's folders.
        experiments: the folder that holds its file.

    Raises:
        RecordError: as `open_guest`.
    """
    folder = paths.guest(name, PEER_FOLDER) if guest.folder is None else Path(guest.folder)
    return open_guest(folder, str(guest_file(name, experiments)))


def checked(name: str, guest: Guest, paths: Paths, experiments: Path) -> str:
    """Checks a guest's own folder before anything runs, and gives the digest of its content.

    Content that was measured is not read again. Before the dataset is prepared, nobody knows its
    sequences, so only the form of each file is judged.

    Args:
        name: its name.
        guest: its settings.
        paths: the study's folders.
        experiments: the folder that holds its file.

    Raises:
        RecordError: the folder or a file in it cannot be used for this study.
    """
    folder = guest_folder(name, guest, paths, experiments)
    found, annotations = digest_of(folder), paths.annotations("val")
    if not annotations.is_file():
        check_form(folder)
    elif _measured(paths.guest(name, "metrics.json")) != (found, file_digest(annotations)):
        read_guest(name, folder, read(Annotations, annotations))
    return found


def _measured(metrics: Path) -> tuple[str, str] | None:
    """Gives the digests of the guest and the annotations that metrics were computed from."""
    try:
        inputs = read_object(metrics)["inputs"] if metrics.is_file() else {}
        return str(inputs["guest"]), str(inputs["annotations"])
    except (RecordError, KeyError, TypeError):  # whatever it is, the guest is measured again
        return None


def open_guest(folder: Path, told_by: str) -> GuestFolder:
    """Lists the files of a guest's folder.

    Args:
        folder: the folder.
        told_by: what names it, which begins messages.

    Raises:
        RecordError: there is no such folder, it is a link or has no json, or a file is a link.
    """
    where = f"{told_by}: {folder}"
    if folder.is_symlink():
        raise RecordError(f"{where}: is a link; name the folder that it leads to")
    if not folder.is_dir():
        raise RecordError(
            f"{where}: no such folder; mend its name, or list under `scales` which scales it is for"
        )
    files = {path.name: path for path in sorted(folder.glob("[!.]*.json"))}
    if not files:
        raise RecordError(
            f"{where}: no *.json here; a folder of PoseTrack's json has a file per sequence"
        )
    for path in files.values():
        if path.is_symlink():
            raise RecordError(f"{told_by}: {path}: is a link; put the file itself there")
    return GuestFolder(files, told_by)


def digest_of(guest: GuestFolder) -> str:
    """Computes one sha256 of all files of a guest, their names and contents."""
    found = hashlib.sha256()
    for name, path in guest.files.items():
        data = content(path)
        found.update(f"{name}\0{len(data)}\0".encode() + data)
    return found.hexdigest()


def check_form(guest: GuestFolder) -> None:
    """Reads every file by itself, without the truth. Raises RecordError at the first bad record."""
    for path in guest.files.values():
        check_tracks(side_of(parsed(path), path, predicted=True))


def read_guest(name: str, guest: GuestFolder, annotations: Annotations) -> Predictions:
    """Reads a guest's predictions on the labelled frames of a split.

    Args:
        name: the guest's name.
        guest: its files.
        annotations: the validation split.

    Raises:
        RecordError: a sequence is missing or unknown, frames are not those of the sequence, or a
            record is malformed; the message names file and record.
    """
    wanted = {file_name(one.name): one for one in annotations.sequences}
    split = f"{annotations.dataset} {annotations.split}"
    remedy = "or list under `scales` which scales the guest is for"
    missing = [one for one in wanted if one not in guest.files]
    if missing:
        raise RecordError(
            f"{guest.told_by}: no file {missing[0]}{_others(missing)}, a sequence of {split}; "
            f"predict every sequence, {remedy}"
        )
    unknown = [one for one in guest.files if one not in wanted]
    if unknown:
        raise RecordError(
            f"{guest.told_by}: {guest.files[unknown[0]]}{_others(unknown)}: no sequence of {split} "
            f"has this name; remove the file, {remedy}"
        )
    sequences = tuple(_sequence(guest.files[file], one) for file, one in wanted.items())
    return Predictions(variant=name, seed=0, boxes=GUEST, sequences=sequences)


def _others(names: Rows[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""


def _sequence(path: Path, sequence: Sequence) -> SequencePredictions:
    data = parsed(path)
    side = side_of(data, path, predicted=True)
    _check_frames(path, _frame_words(data), sequence)
    check_tracks(side)
    regions = {
        place: tuple(polygon(ring, f"{sequence.name}, frame {place}") for ring in frame.ignore)
        for place, frame in enumerate(sequence.frames)
        if counted(frame)
    }
    uncover(side, regions)
    _check_finite(side)
    frames = tuple(
        FramePoses(frame=place, poses=_poses(side, place))
        for place, frame in enumerate(sequence.frames)
        if frame.labelled
    )
    return SequencePredictions(name=sequence.name, frames=frames)


def _frame_words(data: dict[str, Any]) -> list[set[str]]:
    """Lists what a file says of each frame: its number and the name of its image."""
    if "annolist" in data:
        listed = [record.get("imgnum") for record in data["annolist"]]
        numbers = [f"place {one[0]}" if isinstance(one, list) and one else None for one in listed]
    else:
        numbers = [f"id {one['id']}" for one in data["images"]]
    files = [PurePosixPath(one).name if one else None for one in image_names(data)]
    words = zip(files, numbers, strict=True)
    return [{word for word in both if word} for both in words]


def _check_frames(path: Path, said: Rows[set[str]], sequence: Sequence) -> None:
    """Refuses a file whose frames are not those of the sequence, in their order."""
    if len(said) != len(sequence.frames):
        raise RecordError(
            f"{path}: {len(said)} frames where {sequence.name} has {len(sequence.frames)}; write "
            "every frame, also those without people"
        )
    for place, (words, frame) in enumerate(zip(said, sequence.frames, strict=True)):
        if words and words.isdisjoint(_true_words(place, frame)):
            raise RecordError(
                f"{path}: frame {place} is '{min(words)}', where {sequence.name} has "
                f"{PurePosixPath(frame.file).name} with id {frame.id}; write the sequence's frames "
                "in their order"
            )


def _true_words(place: int, frame: Frame) -> set[str]:
    return {PurePosixPath(frame.file).name, f"id {frame.id}", f"place {place + 1}"}


def _check_finite(side: Side) -> None:
    """Refuses joints and scores that are no numbers: nobody can say what they were meant to be."""
    bad = np.isinf(side.joints).any(axis=(1, 2)) | ~np.isfinite(side.scores).all(axis=1)
    if bad.any():
        raise RecordError(
            f"{side.person_name(int(np.argmax(bad)))}: NaN or infinity for a joint or its score; "
            "leave out what was not predicted"
        )


def _poses(side: Side, place: int) -> tuple[Pose, ...]:
    """Gives the people of a frame who have a joint; others count nowhere."""
    people = slice(side.starts[place], side.starts[place + 1])
    frame = FoundFrame(side.joints[people], side.scores[people], side.people[people])
    sure, tracks = person_scores(frame), side.tracks[people]
    poses = []
    for row, joints in enumerate(frame.joints):
        present = ~np.isnan(joints).any(axis=1)
        if present.any():
            points = (
                tuple(p) if has else None for p, has in zip(joints.tolist(), present, strict=True)
            )
            poses.append(
                Pose(
                    track=int(tracks[row]) if abs(tracks[row]) < LARGEST_TRACK else row,
                    score=float(sure[row]) if np.isfinite(sure[row]) else 0.0,
                    joints=tuple(points),
                    scores=tuple(frame.scores[row].tolist()),
                )
            )
    return tuple(poses)
