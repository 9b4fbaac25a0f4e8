"""Reads folders in PoseTrack's own two json forms, the way poseval reads them.

The form is told per file: "annolist" (PoseTrack17) or images / annotations / categories
(PoseTrack18 and 21). Files pair by name, frames by position. More lenient than poseval in three
points that change no number: track ids and the `<number>_<source>` form of folder names are not
required, and a head rectangle is required only of people that have joints.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from tips import skeleton
from tips.evaluation.matching import inside
from tips.evaluation.people import (
    Clip,
    Floats,
    FoundFrame,
    TruthFrame,
    check_heads,
    head_size,
    polygon,
)
from tips.records import RecordError, read_json

NO_SCORE = -9999.0


class _Frame(NamedTuple):
    """One frame of either form and either side."""

    joints: Floats  # (P, 15, 2)
    scores: Floats  # (P, 15)
    heads: Floats  # (P,)
    boxes: Floats  # (P, 4)
    people: Floats  # (P,)
    tracks: tuple[int, ...]
    ignore: tuple[Floats, ...]
    counted: bool  # the list of people is not empty, be they without any joint


def read_folders(truth: Path, found: Path) -> tuple[Clip, ...]:
    """Reads a folder of ground truth and the predictions of the same file names.

    Raises:
        RecordError: a folder without json files, a missing prediction file, another number of
            frames, or a malformed record; file and record are named.
    """
    files = sorted(truth.glob("*.json"), key=lambda path: path.stem)
    if not files:
        raise RecordError(f"{truth}: no *.json here; give the folder of the truth's sequences")
    return tuple(_clip(file, found / file.name) for file in files)


def _clip(truth_file: Path, found_file: Path) -> Clip:
    truth, found = _read(truth_file), _read(found_file)
    if len(truth) != len(found):
        raise RecordError(
            f"{found_file}: {len(found)} frames where {truth_file} has {len(truth)}; "
            "frames pair by position, so write every frame"
        )
    positions = tuple(i for i, frame in enumerate(truth) if frame.counted)
    for i in positions:
        check_heads(truth[i].joints, truth[i].heads, f"{truth_file}: frame {i}")
        if not np.isfinite(truth[i].joints[~np.isnan(truth[i].joints)]).all():
            raise RecordError(f"{truth_file}: frame {i}: joint coordinates must be finite")
    return Clip(
        name=truth_file.stem,
        stratum=truth_file.stem,
        positions=positions,
        truth=tuple(
            TruthFrame(f.joints, f.heads, f.ignore, f.boxes, f.tracks)
            for f in (truth[i] for i in positions)
        ),
        found=tuple(
            FoundFrame(f.joints, f.scores, f.people, f.tracks)
            for f in (found[i] for i in positions)
        ),
    )


@contextmanager
def _naming(where: str) -> Iterator[None]:
    try:
        yield
    except RecordError:
        raise
    except KeyError as error:
        raise RecordError(f"{where}: no {error.args[0]!r}; every such record has it") from error
    except (IndexError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(f"{where}: malformed ({error}); compare PoseTrack's format") from error


def _read(file: Path) -> list[_Frame]:
    data = read_json(file)
    if not isinstance(data, dict):
        raise RecordError(f"{file}: holds a {type(data).__name__}; a sequence is a json object")
    if "annolist" in data:
        frames = []
        for index, record in enumerate(data["annolist"]):
            with _naming(f"{file}: annolist[{index}]"):
                frames.append(_frame_17(record, f"{file}: annolist[{index}]"))
        return frames
    return _frames_18(data, file)


# PoseTrack17: every number sits in a list of its own.


def _frame_17(record: Mapping[str, Any], where: str) -> _Frame:
    ignore = tuple(
        polygon([(p["x"][0], p["y"][0]) for p in region["point"]], where)
        for region in record.get("ignore_regions", ())
    )
    people = record["annorect"]
    values = [_points_17(person, ignore) for person in people]
    array = np.array(values, dtype=np.float64).reshape(-1, skeleton.COUNT, 3)
    return _frame(
        array[..., :2],
        array[..., 2],
        heads=[_head_17(person) for person in people],
        boxes=[(np.nan,) * 4] * len(people),
        people=[_first(person.get("score"), NO_SCORE) for person in people],
        tracks=[_first(person.get("track_id"), -1) for person in people],
        ignore=ignore,
    )


def _first(values: Any, default: float) -> Any:
    return values[0] if values else default


def _head_17(person: Mapping[str, Any]) -> float:
    if "x1" not in person:
        return float("nan")
    return head_size(*(person[key][0] for key in ("x1", "y1", "x2", "y2")))


_ABSENT = (float("nan"), float("nan"), float("nan"))


def _points_17(person: Mapping[str, Any], ignore: tuple[Floats, ...]) -> list[Any]:
    """(x, y, score) of the 15 joints. Of a joint listed twice the first outside ignores counts."""
    rows: list[Any] = [_ABSENT] * skeleton.COUNT
    annopoints = person.get("annopoints")
    if not annopoints or not annopoints[0] or "point" not in annopoints[0]:
        return rows
    for point in annopoints[0]["point"]:
        joint = point["id"][0] if point["id"] is not None else -1
        if not 0 <= joint < skeleton.COUNT:
            continue
        if rows[joint] is not _ABSENT and not inside(np.array(rows[joint][:2]), ignore):
            continue
        score = point["score"][0] if "score" in point else NO_SCORE
        rows[joint] = (*_placed(point["x"][0], point["y"][0]), score)
    return rows


def _placed(x: float, y: float) -> tuple[float, float]:
    """A listed point without numbers exists all the same: infinitely far away."""
    return (x, y) if x == x and y == y else (float("inf"), float("inf"))


# PoseTrack18 and 21.


def _frames_18(data: Mapping[str, Any], file: Path) -> list[_Frame]:
    with _naming(f"{file}: the file"):
        images, annotations = data["images"], data["annotations"]
        slots = _slots(data["categories"], file)
    of_image: dict[Any, list[int]] = {}
    for index, image in enumerate(images):
        with _naming(f"{file}: images[{index}]"):
            if image["id"] in of_image:
                raise RecordError(f"{file}: images[{index}]: id {image['id']} repeats")
            of_image[image["id"]] = []
    for index, annotation in enumerate(annotations):
        with _naming(f"{file}: annotations[{index}]"):
            if annotation["image_id"] not in of_image:
                raise RecordError(
                    f"{file}: annotations[{index}]: no image has id {annotation['image_id']}"
                )
            of_image[annotation["image_id"]].append(index)
    joints, scores = _keypoints_18(annotations, slots, file)
    frames = []
    for index, image in enumerate(_first_video(images, file)):
        rows = of_image[image["id"]]
        people = [annotations[row] for row in rows]
        where = f"{file}: images[{index}]"
        with _naming(where):
            frames.append(
                _frame(
                    joints[rows],
                    scores[rows],
                    heads=[_head_18(person) for person in people],
                    boxes=[person.get("bbox", (np.nan,) * 4) for person in people],
                    people=[person.get("score", NO_SCORE) for person in people],
                    tracks=[person.get("track_id", -1) for person in people],
                    ignore=_ignore_18(image, where),
                )
            )
    return frames


def _slots(categories: Any, file: Path) -> list[int]:
    """Place of each of the 15 joints among the file's own keypoint names."""
    if len(categories) != 1 or categories[0]["name"] != "person":
        raise RecordError(f"{file}: categories must be exactly one, named person")
    names = categories[0]["keypoints"]
    missing = [name for name in skeleton.JOINTS if name not in names]
    if len(names) not in (15, 17) or missing:
        raise RecordError(
            f"{file}: categories[0].keypoints must be the 15 joints, or 17 with the ears; "
            f"got {len(names)}, missing {missing or 'none'}"
        )
    return [names.index(name) for name in skeleton.JOINTS] + [len(names)]


def _first_video(images: list[Any], file: Path) -> list[Any]:
    """Poseval evaluates the first video of a file only; videos are told by their folder."""

    def video(image: Mapping[str, Any]) -> str:
        return PurePosixPath(image["file_name"]).parent.name.split("_")[0]

    with _naming(f"{file}: images"):
        return [image for image in images if video(image) == video(images[0])]


def _keypoints_18(annotations: list[Any], slots: list[int], file: Path) -> tuple[Floats, Floats]:
    *places, size = slots
    values, scores = [], []
    for index, annotation in enumerate(annotations):
        with _naming(f"{file}: annotations[{index}]"):
            if len(annotation["keypoints"]) != 3 * size:
                raise RecordError(
                    f"{file}: annotations[{index}]: keypoints need {3 * size} numbers; "
                    f"got {len(annotation['keypoints'])}"
                )
            values.append(np.array(annotation["keypoints"], dtype=np.float64))
            listed = annotation.get("scores") or [NO_SCORE] * size
            scores.append([float(listed[place]) for place in places])
    array = np.array(values).reshape(-1, size, 3)[:, places]
    joints = np.where(np.isnan(array[..., :2]).any(axis=-1, keepdims=True), np.inf, array[..., :2])
    joints[(array == 0).all(axis=-1)] = np.nan
    return joints, np.array(scores, dtype=np.float64).reshape(-1, skeleton.COUNT)


def _head_18(person: Mapping[str, Any]) -> float:
    if "bbox_head" not in person:
        return float("nan")
    x, y, width, height = person["bbox_head"]
    return head_size(x, y, x + width, y + height)


def _ignore_18(image: Mapping[str, Any], where: str) -> tuple[Floats, ...]:
    if "ignore_regions_x" not in image or "ignore_regions_y" not in image:
        return ()
    return tuple(
        polygon(list(zip(xs, ys, strict=False)), where)
        for xs, ys in zip(image["ignore_regions_x"], image["ignore_regions_y"], strict=False)
    )


def _frame(
    joints: Floats,
    scores: Floats,
    heads: list[float],
    boxes: list[Any],
    people: list[Any],
    tracks: list[Any],
    ignore: tuple[Floats, ...],
) -> _Frame:
    return _Frame(
        joints=joints,
        scores=scores,
        heads=np.array(heads, dtype=np.float64),
        boxes=np.array(boxes, dtype=np.float64).reshape(-1, 4),
        people=np.array(people, dtype=np.float64),
        tracks=tuple(int(track) for track in tracks),
        ignore=ignore,
        counted=len(heads) > 0,
    )
