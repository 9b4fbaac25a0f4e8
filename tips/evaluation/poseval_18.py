"""Reads PoseTrack18's and 21's json: `images`, `annotations` and `categories`."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from tips import skeleton
from tips.evaluation.people import Floats
from tips.evaluation.poseval_side import (
    NO_SCORE,
    Name,
    Side,
    listed,
    naming,
    numbers,
    optional,
    placed,
    rectangles,
)
from tips.records import RecordError

Rows = Sequence[Mapping[str, Any]]


def read_18(data: Mapping[str, Any], file: Path, *, predicted: bool) -> Side:
    """Reads one parsed file.

    Args:
        data: the parsed json.
        file: its file, for messages.
        predicted: whether it holds predictions; then scores are read, and boxes, head rectangles
            and ignore regions are not.

    Raises:
        RecordError: if a record is malformed; the message names file and record.
    """
    with naming(f"{file}: the file"):
        images = listed(data["images"], "images")
        annotations = listed(data["annotations"], "annotations")
        places, size = _slots(listed(data["categories"], "categories"), file)
    _one_video(images, file)
    rows = _by_image(images, annotations, file)
    order = [*chain.from_iterable(rows)]
    people = [annotations[row] for row in order]

    def name(person: int) -> str:
        return f"{file}: annotations[{order[person]}]"

    joints = _joints(people, places, size, name)
    heads = [None if predicted else person.get("bbox_head") for person in people]
    corners = rectangles(heads, name)
    corners.values[:, 2:] += corners.values[:, :2]
    return Side(
        joints=joints,
        scores=_scores(people, places, name, predicted=predicted),
        again=[],
        heads=corners,
        boxes=rectangles([None if predicted else person.get("bbox") for person in people], name),
        people=optional([p.get("score") if predicted else None for p in people], name),
        tracks=optional([person.get("track_id") for person in people], name),
        starts=[0, *np.cumsum([len(of_image) for of_image in rows]).tolist()],
        ignore=[
            [] if predicted else _regions(image, f"{file}: images[{index}]")
            for index, image in enumerate(images)
        ],
        labelled=[image.get("is_labeled") for image in images],
        frame_name=lambda index: f"{file}: images[{index}]",
        person_name=name,
    )


def _slots(categories: Rows, file: Path) -> tuple[list[int], int]:
    """Finds the 15 joints among the names of the file. Returns places, and the number of names."""
    if len(categories) != 1 or categories[0]["name"] != "person":
        raise RecordError(f"{file}: categories: exactly one is needed, named person")
    names = listed(categories[0]["keypoints"], "keypoints")
    where = f"{file}: categories[0].keypoints"
    missing = [joint for joint in skeleton.JOINTS if joint not in names]
    if missing:
        raise RecordError(f"{where}: no {', '.join(missing)}; all 15 joints must be there")
    twice = [joint for joint in skeleton.JOINTS if names.count(joint) > 1]
    if twice:
        raise RecordError(f"{where}: {twice[0]} is listed twice; name every joint once")
    return [names.index(joint) for joint in skeleton.JOINTS], len(names)


def _one_video(images: Rows, file: Path) -> None:
    """Refuses a file of several videos, of which poseval would silently evaluate only the first.

    Videos are told apart by the folder of their frames.
    """
    if not images:
        raise RecordError(f"{file}: images: no frame; a sequence has at least one")
    videos = []
    for index, image in enumerate(images):
        with naming(f"{file}: images[{index}]"):
            videos.append(PurePosixPath(image["file_name"]).parent.name.split("_")[0])
        if videos[-1] != videos[0]:
            raise RecordError(
                f"{file}: images[{index}]: {image['file_name']} is another video than "
                f"{images[0]['file_name']}; write one file per video"
            )


def _by_image(images: Rows, annotations: Rows, file: Path) -> list[list[int]]:
    """Lists the rows of `annotations` of each image, in the order of `images`."""
    rows: dict[Any, list[int]] = {}
    for index, image in enumerate(images):
        with naming(f"{file}: images[{index}]"):
            if image["id"] in rows:
                raise RecordError(f"{file}: images[{index}]: id {image['id']} occurs twice")
            rows[image["id"]] = []
    for index, person in enumerate(annotations):
        with naming(f"{file}: annotations[{index}]"):
            if person["image_id"] not in rows:
                raise RecordError(
                    f"{file}: annotations[{index}]: no image has id {person['image_id']}"
                )
            rows[person["image_id"]].append(index)
    return list(rows.values())


def _joints(people: Rows, places: list[int], size: int, name: Name) -> Floats:
    """Reads keypoints by joint (n, 15, 2); a joint is absent if x, y and v are all 0."""
    flat: list[Any] = []
    for row, person in enumerate(people):
        with naming(name(row)):
            keypoints = listed(person["keypoints"], "keypoints")
        if len(keypoints) != 3 * size:
            raise RecordError(
                f"{name(row)}: keypoints need {3 * size} numbers, 3 for each of the file's "
                f"{size} names; got {len(keypoints)}"
            )
        flat += keypoints
    values = numbers(flat, lambda index: name(index // (3 * size))).reshape(-1, size, 3)[:, places]
    joints = placed(values[..., :2])
    joints[(values == 0).all(axis=-1)] = np.nan
    return joints


def _scores(people: Rows, places: list[int], name: Name, *, predicted: bool) -> Floats:
    """Reads the score of every joint (n, 15), which the file lists in the order of its names."""
    flat: list[Any] = []
    none = [NO_SCORE] * len(places)
    for row, person in enumerate(people):
        scores = person.get("scores") if predicted else None
        if not scores:
            flat += none
            continue
        with naming(name(row)):
            scores = listed(scores, "scores")
            flat += [scores[place] for place in places]
    return numbers(flat, lambda index: name(index // len(places))).reshape(-1, len(places))


def _regions(image: Mapping[str, Any], where: str) -> list[Floats] | None:
    if "ignore_regions_x" not in image or "ignore_regions_y" not in image:
        return None
    with naming(where):
        rings = [
            [value for point in zip(xs, ys, strict=False) for value in point]
            for xs, ys in zip(image["ignore_regions_x"], image["ignore_regions_y"], strict=False)
        ]
    return [numbers(ring, lambda _: where).reshape(-1, 2) for ring in rings]
