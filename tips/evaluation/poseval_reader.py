"""Reads pairs of files, truth and predictions, in PoseTrack's two json forms, as poseval does.

Each file has its own form: `annolist` (PoseTrack17), or `images`, `annotations` and `categories`
(PoseTrack18 and 21). Files are paired by name, frames by position. This reader accepts more than
poseval where that changes no number: further joint names, any names of folders and files, missing
or large track ids, and a missing head rectangle where no distance is measured.
"""

import logging
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from tips.evaluation.ignore import inside
from tips.evaluation.matching import clean
from tips.evaluation.people import (
    HEAD_FACTOR,
    Bools,
    Clip,
    Floats,
    FoundFrame,
    Rule,
    TruthFrame,
    check_heads,
    head_sizes,
    polygon,
)
from tips.evaluation.poseval_17 import read_17
from tips.evaluation.poseval_18 import read_18
from tips.evaluation.poseval_side import Rectangles, Side
from tips.records import FARTHEST, RecordError, read_json

log = logging.getLogger(__name__)


class Pair(NamedTuple):
    """The two files of a sequence."""

    truth: Path
    found: Path


def read_folders(
    truth: Path, found: Path, rule: Rule = "poseval", head_factor: float = HEAD_FACTOR
) -> tuple[Clip, ...]:
    """Reads all sequences of two folders, or the one of two files.

    Args:
        truth: folder or file of the truth.
        found: folder or file of the predictions.
        rule: which frames count, as in `read_pair`.
        head_factor: head size / diagonal of the head rectangle.

    Raises:
        RecordError: as `pairs` and `read_pair`.
    """
    return tuple(read_pair(pair, rule, head_factor) for pair in pairs(truth, found))


def pairs(truth: Path, found: Path) -> tuple[Pair, ...]:
    """Pairs the files of two folders by name, or two files.

    They are in the order of names, which decides between equal scores.

    Raises:
        RecordError: if nothing is there, if one is a folder and the other a file, or if a file has
            no partner.
    """
    for path in (truth, found):
        if not path.exists():
            raise RecordError(f"{path}: no such file or folder; give truth, then predictions")
    if truth.is_dir() != found.is_dir():
        raise RecordError(
            f"{truth} and {found}: one is a folder, the other a file; give two folders or two files"
        )
    if not truth.is_dir():
        return (Pair(truth, found),)
    names, others = _names(truth), _names(found)
    if not names:
        raise RecordError(f"{truth}: no *.json here; give the folder of the truth's sequences")
    for name in sorted(names ^ others):
        there, missing = (truth, found) if name in names else (found, truth)
        raise RecordError(
            f"{missing / name}: no such file, the partner of {there / name}; both folders need "
            "the same names"
        )
    return tuple(Pair(truth / name, found / name) for name in sorted(names))


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.json") if not path.name.startswith(".")}


def read_pair(pair: Pair, rule: Rule = "poseval", head_factor: float = HEAD_FACTOR) -> Clip:
    """Reads truth and predictions of one sequence and keeps the frames that the rule counts.

    Args:
        pair: the two files; each may have either form.
        rule: "poseval" counts frames that list people; "kit21" those with `is_labeled`.
        head_factor: head size / diagonal of the head rectangle.

    Raises:
        RecordError: if the numbers of frames differ, a track id occurs twice in a predicted frame,
            the truth is not finite, or a record is malformed; the message names file and record.
    """
    records = parsed(pair.truth), parsed(pair.found)
    truth = side_of(records[0], pair.truth, predicted=False)
    found = side_of(records[1], pair.found, predicted=True)
    if len(truth.ignore) != len(found.ignore):
        raise RecordError(
            f"{pair.found}: {len(found.ignore)} frames where {pair.truth} has "
            f"{len(truth.ignore)}; frames pair by position, so write every frame"
        )
    check_tracks(found)
    _check_truth(truth)
    _warn_of_images(pair, image_names(records[0]), image_names(records[1]))
    frames = range(len(truth.ignore))
    if rule == "kit21":
        _check_kit21(truth)
        positions = [frame for frame in frames if truth.labelled[frame]]
    else:
        positions = [frame for frame in frames if truth.starts[frame] < truth.starts[frame + 1]]
    regions = {
        frame: tuple(polygon(ring, truth.frame_name(frame)) for ring in truth.ignore[frame] or ())
        for frame in positions
    }
    for side in (truth, found):
        uncover(side, regions)
    heads = head_sizes(truth.heads.values, head_factor)
    clip = Clip(
        name=pair.truth.stem,
        stratum=pair.truth.stem,
        positions=tuple(positions),
        truth=tuple(_truth_frame(truth, heads, regions[i], _people(truth, i)) for i in positions),
        found=tuple(_found_frame(found, _people(found, i)) for i in positions),
    )
    _check_heads(clip, truth)
    return clip


def parsed(file: Path) -> dict[str, Any]:
    """Reads the json object of a sequence. Raises RecordError if the file holds anything else."""
    if file.is_dir():
        raise RecordError(f"{file}: a folder; a sequence is a json file")
    data = read_json(file)
    if not isinstance(data, dict):
        raise RecordError(f"{file}: holds a {type(data).__name__}; a sequence is a json object")
    return data


def side_of(data: dict[str, Any], file: Path, *, predicted: bool) -> Side:
    """Reads one file of either form.

    Args:
        data: the json object.
        file: its file, for messages.
        predicted: whether it holds predictions.

    Raises:
        RecordError: if a record is malformed; the message names file and record.
    """
    read = read_17 if "annolist" in data else read_18
    return read(data, file, predicted=predicted)


def image_names(data: dict[str, Any]) -> list[str | None]:
    """Lists the path of every frame's image as the file has it; None where it has none.

    Args:
        data: the json object of a sequence, of either form, that `side_of` has read.
    """
    if "annolist" not in data:
        named = [one.get("file_name") for one in data["images"]]
    else:
        images = [record.get("image") for record in data["annolist"]]
        first = [one[0] if isinstance(one, list) and one else None for one in images]
        named = [one.get("name") if isinstance(one, dict) else None for one in first]
    return [one if isinstance(one, str) and one else None for one in named]


def _warn_of_images(pair: Pair, truth: Sequence[str | None], found: Sequence[str | None]) -> None:
    """Warns of predictions whose images have other names: they may be of another sequence."""
    for frame, (wanted, got) in enumerate(zip(truth, found, strict=True)):
        if wanted and got and not _same_image(wanted, got):
            log.warning(
                "%s: frame %d is of %r, and of %r in %s; frames pair by position, so see that both "
                "files are of one sequence",
                pair.found,
                frame,
                got,
                wanted,
                pair.truth,
            )
            return


def _same_image(one: str, other: str) -> bool:
    """Compares file names, and the folder just above, which is the sequence's, where both have it.

    The folders above that are where somebody keeps the dataset.
    """
    pairs = zip(
        reversed(PurePosixPath(one).parts[-2:]),
        reversed(PurePosixPath(other).parts[-2:]),
        strict=False,
    )
    return all(left == right for left, right in pairs)


def _people(side: Side, frame: int) -> slice:
    return slice(side.starts[frame], side.starts[frame + 1])


def _truth_frame(
    side: Side, heads: Floats, ignore: tuple[Floats, ...], people: slice
) -> TruthFrame:
    return TruthFrame(
        side.joints[people], heads[people], ignore, side.boxes.values[people], _tracks(side, people)
    )


def _found_frame(side: Side, people: slice) -> FoundFrame:
    return FoundFrame(
        side.joints[people], side.scores[people], side.people[people], _tracks(side, people)
    )


def _tracks(side: Side, people: slice) -> tuple[int, ...]:
    return tuple(int(track) if np.isfinite(track) else -1 for track in side.tracks[people])


def uncover(side: Side, regions: dict[int, tuple[Floats, ...]]) -> None:
    """Decides which entry counts of a joint that is listed several times.

    It is the first one that lies outside every ignore region.

    Args:
        side: one file; the entry that counts is put into its arrays.
        regions: the ignore regions (n, 2) of each frame that counts, image px.
    """
    for again in side.again:
        frame = int(np.searchsorted(side.starts, again.person, side="right")) - 1
        at = (again.person, again.joint)
        if inside(side.joints[at], regions.get(frame, ())):
            side.joints[at], side.scores[at] = again.point, again.score


def check_tracks(side: Side) -> None:
    """Refuses one id for two predicted people of a frame, as poseval does. Raises RecordError."""
    for frame in range(len(side.ignore)):
        seen: set[float] = set()
        for person in range(side.starts[frame], side.starts[frame + 1]):
            track = float(side.tracks[person])
            if track in seen:
                raise RecordError(
                    f"{side.person_name(person)}: track_id {track:g} occurs twice in "
                    f"{side.frame_name(frame).rpartition(': ')[2]}; predicted people of a frame "
                    "need different ids"
                )
            if not np.isnan(track):
                seen.add(track)


def _check_truth(side: Side) -> None:
    joints = ~np.isnan(side.joints[..., 0])
    absurd = ~(np.abs(side.joints) <= FARTHEST).all(axis=-1)
    _refuse(side, np.asarray((absurd & joints).any(axis=1)), "joint coordinates")
    for what, rectangle in (("bbox_head", side.heads), ("bbox", side.boxes)):
        _refuse(side, _absurd(rectangle), f"{what} (x1, y1, x2, y2 in PoseTrack17)")


def _absurd(rectangle: Rectangles) -> Bools:
    return np.asarray(rectangle.given & ~(np.abs(rectangle.values) <= FARTHEST).all(axis=1))


def _refuse(side: Side, bad: Bools, what: str) -> None:
    if bad.any():
        raise RecordError(
            f"{side.person_name(int(np.argmax(bad)))}: NaN, infinity or more than "
            f"{FARTHEST:g} px in the truth's {what}; leave out what is not annotated"
        )


def _check_kit21(side: Side) -> None:
    """Refuses a truth that lacks what PoseTrack21's kit reads of every image and person."""
    missing: Sequence[tuple[str, int]] = [
        (key, values.index(None))
        for key, values in (
            ("is_labeled", side.labelled),
            ("ignore_regions_x and ignore_regions_y", side.ignore),
        )
        if None in values
    ]
    for key, frame in missing:
        raise RecordError(f"{side.frame_name(frame)}: no {key}; rule kit21 reads it")
    if not side.heads.given.all():
        person = int(np.argmin(side.heads.given))
        raise RecordError(f"{side.person_name(person)}: no head rectangle; rule kit21 reads it")


def _check_heads(clip: Clip, side: Side) -> None:
    """Refuses people without a head size in frames where distances are measured.

    These are frames in which truth and predictions have joints outside of ignore regions.
    """
    if side.heads.given.all():
        return
    left = clean(clip)
    for position, truth, found in zip(left.positions, left.truth, left.found, strict=True):
        if not np.isnan(found.joints).all():
            check_heads(truth.joints, truth.heads, side.frame_name(position))
