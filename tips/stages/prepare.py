"""Reads the dataset once: writes annotations per split, true boxes, and a data manifest."""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tips import records
from tips.config.embedded import Split
from tips.data.boxes import true_boxes
from tips.data.kinds import reader
from tips.data.origin import check_origin
from tips.data.releases import RELEASES, differences
from tips.evaluation.straightness import straightness
from tips.opened import Opened, open_study
from tips.paths import Paths
from tips.progress import track
from tips.provenance import file_digest
from tips.records import Annotations, Sequence
from tips.temporaries import visible

log = logging.getLogger(__name__)
GAPS = (1, 2, 4)  # frames; a joint at t is compared with the line from t - gap to t + gap


def run(scale: str = "desk", root: str = "") -> None:
    """Writes annotations-{split}.json, boxes-gt.json and, last, manifest.json.

    The counts of a published set are compared with the published counts. A difference is printed
    and noted in the manifest. It does not stop the stage, because a part or a newer version of a
    set can be used as well.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.

    Raises:
        RecordError: a folder or file is missing or malformed; the message names it.
    """
    opened = open_study(scale, root)
    paths, dataset = opened.paths, opened.study.scale.dataset
    if dataset.embedded is None:
        labels = reader(dataset.kind).labels(paths.root, dataset)
        check_origin(paths.manifest, paths.root, labels)
    splits = {name: _read(opened, name) for name in opened.study.scale.splits}
    for name, annotations in splits.items():
        _warn_of_twins(annotations)
        records.write(annotations, paths.annotations(name))
    records.write(true_boxes(splits["val"]), paths.boxes("gt"))
    records.write_json(_manifest(opened, splits), paths.manifest)


def _read(opened: Opened, split: Split) -> Annotations:
    dataset, paths = opened.study.scale.dataset, opened.paths
    read = reader(dataset.kind).read(paths.root, dataset, split, paths.dataset)
    strata = tuple(_with_motion(paths, split, sequence) for sequence in read.sequences)
    return read.model_copy(update={"sequences": strata})


def _warn_of_twins(annotations: Annotations) -> None:
    """Warns of people of one frame who share a track, which published labels hold, too."""
    twins = [
        (sequence.name, frame.file, track)
        for sequence in annotations.sequences
        for frame in sequence.frames
        for track, count in Counter(person.track for person in frame.people).items()
        if count > 1
    ]
    if twins:
        log.warning(
            "%s: %d times a track id belongs to several people of a frame, first in %s, %s, track "
            "%d; each of them is trained on and scored",
            annotations.split,
            len(twins),
            *twins[0],
        )


def _with_motion(paths: Paths, split: str, sequence: Sequence) -> Sequence:
    """Adds the kind of motion, by which the bootstrap draws sequences, if the dataset tells it."""
    truth = paths.root / "truth" / split / f"{sequence.name}.json"
    if not truth.is_file():
        return sequence
    found = records.read_object(truth)
    if "motion" not in found:
        raise records.RecordError(f"{truth}: motion: this key must be given")
    return sequence.model_copy(update={"motion": str(found["motion"])})


def _manifest(opened: Opened, splits: Mapping[Split, Annotations]) -> dict[str, Any]:
    paths, dataset = opened.paths, opened.study.scale.dataset
    files = sorted({*reader(dataset.kind).labels(paths.root, dataset), *_frames(paths, splits)})
    missing = next((file for file in files if not file.is_file()), None)
    if missing is not None:
        raise records.RecordError(f"{missing}: no such file; complete the dataset folder")
    counts = {name: _counts(annotations) for name, annotations in splits.items()}
    return {
        "dataset": paths.dataset,
        "counts": counts,
        "files": {
            file.relative_to(paths.root).as_posix(): file_digest(file)
            for file in track(files, "hashing the data")
        },
        **_published(opened, splits, counts),
    }


def _published(
    opened: Opened, splits: Mapping[Split, Annotations], counts: Mapping[Split, Mapping[str, int]]
) -> dict[str, Any]:
    """Describes a published set: licence, differing counts, and how straight its joints move."""
    name = opened.study.scale.dataset.release
    if name is None:
        return {}
    release = RELEASES[name]
    found = differences(release, counts)
    for row in found:
        log.warning(
            "%s, %s: %s expected are %d (%s), found %d",
            *(release.title, row["split"], row["what"].replace("_", " ")),
            *(row["expected"], row["source"], row["found"]),
        )
    return {
        "release": name,
        "licence": release.licence,
        "differences": found,
        "straightness": [line._asdict() for line in straightness(splits["train"], GAPS)],
    }


def _frames(paths: Paths, splits: Mapping[Split, Annotations]) -> Iterator[Path]:
    """Lists the frames that the annotations name, or the records of a rendered set's shards."""
    shards = visible(paths.root / "shards", "*.json")
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
