"""Reads the dataset once: annotations per split, validation boxes, and a manifest of the data."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tips import records
from tips.data.boxes import detected_boxes, true_boxes
from tips.data.posetrack import Split, read_split
from tips.paths import Paths
from tips.provenance import file_digest
from tips.records import Annotations, Sequence
from tips.stages._progress import track
from tips.stages._study import Opened, open_study


def run(scale: str = "desk", root: str = "") -> None:
    """Writes annotations-{split}.json, boxes-{gt,detected}.json and, last, manifest.json.

    Args:
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.

    Raises:
        RecordError: a folder or file is missing or malformed; names it.
    """
    opened = open_study(scale, root)
    paths, evaluation = opened.paths, opened.study.scale.evaluation
    splits = {name: _read(opened, name) for name in split_names(opened)}
    for name, annotations in splits.items():
        records.write(annotations, paths.annotations(name))
    records.write(true_boxes(splits["val"]), paths.boxes("gt"))
    records.write(detected_boxes(splits["val"], evaluation.detector), paths.boxes("detected"))
    records.write_json(_manifest(opened, splits), paths.manifest)


def split_names(opened: Opened) -> list[Split]:
    """The splits that a dataset has."""
    embedded = opened.study.scale.dataset.embedded
    return ["train", "val", "stills"] if embedded and embedded.stills else ["train", "val"]


def _read(opened: Opened, split: Split) -> Annotations:
    dataset, paths = opened.study.scale.dataset, opened.paths
    cut = getattr(dataset.split, split) if dataset.split is not None else None
    read = read_split(paths.root, dataset.annotations, split, paths.dataset, cut=cut)
    strata = tuple(_with_motion(paths, split, sequence) for sequence in read.sequences)
    return read.model_copy(update={"sequences": strata})


def _with_motion(paths: Paths, split: str, sequence: Sequence) -> Sequence:
    """Takes the stratum of the bootstrap from the truth file, where the dataset has one."""
    truth = paths.root / "truth" / split / f"{sequence.name}.json"
    if not truth.is_file():
        return sequence
    found = records.read_json(truth)
    if not isinstance(found, dict) or "motion" not in found:
        raise records.RecordError(f"{truth}: motion: this key must be given")
    return sequence.model_copy(update={"motion": str(found["motion"])})


def _manifest(opened: Opened, splits: Mapping[Split, Annotations]) -> dict[str, Any]:
    paths = opened.paths
    files = sorted(_files(paths, opened.study.scale.dataset.annotations, splits))
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise records.RecordError(f"{missing}: no such file; complete the dataset folder")
    return {
        "dataset": paths.dataset,
        "counts": {name: _counts(annotations) for name, annotations in splits.items()},
        "files": {
            file.relative_to(paths.root).as_posix(): file_digest(file)
            for file in track(files, "hashing the data")
        },
    }


def _files(paths: Paths, folder: str, splits: Mapping[Split, Annotations]) -> Iterator[Path]:
    """Annotation files and the frames they name; of a rendered set its shard records instead."""
    yield from (paths.root / folder).glob("*/*.json")
    shards = list((paths.root / "shards").glob("*.json"))
    if shards:
        yield from shards
        return
    names = {f.file for a in splits.values() for s in a.sequences for f in s.frames}
    yield from (paths.root / name for name in names)


def _counts(annotations: Annotations) -> dict[str, int]:
    frames = [frame for sequence in annotations.sequences for frame in sequence.frames]
    labelled = [frame for frame in frames if frame.labelled]
    people = [person for frame in labelled for person in frame.people]
    return {
        "sequences": len(annotations.sequences),
        "frames": len(frames),
        "labelled_frames": len(labelled),
        "people": len(people),
        "joints": sum(point is not None for person in people for point in person.joints),
    }
