"""Times the evaluation against `json.load` of its files, and one of PoseTrack18-val's size."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tips import records
from tips.config import ConfigError
from tips.evaluation.average_precision import average_precision
from tips.evaluation.matching import match
from tips.evaluation.people import Floats
from tips.evaluation.poseval_files import Style, write_found, write_truth
from tips.evaluation.poseval_reader import pairs as file_pairs
from tips.evaluation.poseval_reader import read_folders
from tips.records import atomic_path, write_json
from tips.reporting.bench_evaluation import page
from tips.stages._progress import track
from tips.stages._timing import quartiles, seconds, timed

STYLES: tuple[Style, ...] = (17, 18)


class Crowd(NamedTuple):
    """Sizes of a made-up dataset."""

    sequences: int
    frames: int
    people: float  # mean per frame
    vary: bool  # numbers of people differ, every 4th frame and the middle 30 are labelled


# The size that the ratio is promised for, and about that of PoseTrack18's validation split.
PROMISED = Crowd(50, 30, 6, vary=False)
VALIDATION = Crowd(170, 100, 6, vary=True)


def run(
    out: Path = Path("results/bench/evaluation.json"),
    report: Path = Path("reports/bench/evaluation.md"),
    pairs: int = 15,
) -> None:
    """Writes ratios evaluation / json.load of process CPU time, and time and memory of a large one.

    The evaluation is what follows on reading: ignore regions, assignment, average precision.

    Args:
        out: the numbers.
        report: the same as a page.
        pairs: interleaved pairs of measurements.

    Raises:
        ConfigError: no pairs.
    """
    if pairs < 1:
        raise ConfigError(f"--pairs must be at least 1; got {pairs}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ratios = [ratio(PROMISED, style, folder / f"posetrack{style}", pairs) for style in STYLES]
        result = {"ratios": ratios, "validation": whole(VALIDATION, folder / "validation")}
    write_json(result, out)
    text = page(result)
    with atomic_path(report) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(text)


def ratio(crowd: Crowd, style: Style, folder: Path, pairs: int) -> dict[str, Any]:
    """Times json.load of all files, and the evaluation of what was read, in turn."""
    write(crowd, folder, style)
    files = [file for pair in file_pairs(folder / "gt", folder / "pred") for file in pair]
    clips = read_folders(folder / "gt", folder / "pred")

    def load() -> None:
        for file in files:
            with file.open(encoding="utf-8") as stream:
                json.load(stream)

    found = timed(load, lambda: average_precision(match(clips)), pairs)
    reading = [seconds(lambda: read_folders(folder / "gt", folder / "pred")) for _ in range(3)]
    ratios = [ours / theirs for theirs, ours in found]
    return {
        "style": style,
        "sequences": crowd.sequences,
        "frames": crowd.sequences * crowd.frames,
        "pairs": pairs,
        "ratio": round(statistics.median(ratios), 3),
        "quartiles": quartiles(ratios),
        "seconds": {
            "json_load": round(statistics.median(theirs for theirs, _ in found), 4),
            "evaluation": round(statistics.median(ours for _, ours in found), 4),
            "reading": round(statistics.median(reading), 4),
        },
    }


def whole(crowd: Crowd, folder: Path) -> dict[str, Any]:
    """Time and peak memory of `tips evaluate` in a process of its own."""
    write(crowd, folder, 18)
    files = [folder / "gt", folder / "pred", "--json", folder / "out.json"]
    command = [sys.executable, "-m", "tips", "evaluate", *map(str, files)]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # Tells one child's memory, or this process's where that is larger (it starts as our copy).
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - began
    if process.returncode != 0:
        raise subprocess.CalledProcessError(process.returncode, command)
    numbers = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    size = sum(file.stat().st_size for file in folder.glob("*/*.json"))
    return {
        "sequences": crowd.sequences,
        "frames": crowd.sequences * crowd.frames,
        "joints": sum(numbers["n_gt"]),
        "predicted_joints": sum(numbers["n_pred"]),
        "megabytes": round(size / 1e6, 1),
        "seconds": {
            "wall": round(wall, 2),
            "cpu": round(usage.ru_utime + usage.ru_stime, 2),
        },
        "peak_memory_mb": round(usage.ru_maxrss / 1024),
    }


def write(crowd: Crowd, folder: Path, style: Style) -> None:
    """Writes truth into `gt` and predictions into `pred`, the same for equal sizes."""
    draw = np.random.default_rng(0)
    for index in track(range(crowd.sequences), f"writing {crowd.sequences} sequences"):
        sequence, found = _sequence(crowd, index, draw)
        annotations = records.Annotations(
            dataset="crowd", split="val", root="", sequences=(sequence,)
        )
        predictions = records.Predictions(variant="noise", seed=0, boxes="gt", sequences=(found,))
        write_truth(annotations, folder / "gt", style)
        write_found(predictions, annotations, folder / "pred", style)


def _sequence(
    crowd: Crowd, index: int, draw: np.random.Generator
) -> tuple[records.Sequence, records.SequencePredictions]:
    """Noisy people in a 1280 x 720 frame, half as many false ones, every second frame a region."""
    name, middle = f"{index:06d}_mpii_test", crowd.frames // 2
    frames, poses = [], []
    for f in range(crowd.frames):
        n = max(1, int(draw.poisson(crowd.people))) if crowd.vary else int(crowd.people)
        labelled = not crowd.vary or f % 4 == 0 or abs(f - middle) < 15
        real = _people(n, draw)
        ring = draw.uniform(0, 720, 2) + np.round(draw.normal(0, 80, (20, 2)))
        frames.append(
            records.Frame(
                file=f"images/val/{name}/{f:06d}.jpg",
                id=10_000_000_000 + 10_000 * index + f,
                labelled=labelled,
                ignore=(_points(ring),) if f % 2 else (),
                people=tuple(_person(*item, draw) for item in enumerate(real) if labelled),
            )
        )
        wrong = _people(int(crowd.vary) * n // 2, draw)
        guesses = np.concatenate([real + draw.normal(0, 8, real.shape), wrong])
        found = tuple(_pose(track, joints, draw) for track, joints in enumerate(guesses))
        poses.append(records.FramePoses(frame=f, poses=found))
    sequence = records.Sequence(
        name=name, width=1280, height=720, motion=name, frames=tuple(frames)
    )
    return sequence, records.SequencePredictions(name=name, frames=tuple(poses))


def _people(n: int, draw: np.random.Generator) -> Floats:
    middles = draw.uniform((100, 150), (1180, 570), (n, 2))
    return middles[:, None] + draw.normal(0, (30, 60), (n, 15, 2))


def _points(array: Floats) -> tuple[tuple[float, float], ...]:
    return tuple((x, y) for x, y in np.round(array, 2).tolist())


def _person(track: int, joints: Floats, draw: np.random.Generator) -> records.Person:
    seen = draw.random(15) < 0.85
    x, y = (float(value) for value in joints.min(axis=0))
    return records.Person(
        track=track,
        box=(x, y, 120.0, 240.0),
        head=(x, y, 28.0, 36.0),
        joints=tuple(
            point if here else None for point, here in zip(_points(joints), seen, strict=True)
        ),
    )


def _pose(track: int, joints: Floats, draw: np.random.Generator) -> records.Pose:
    scores = np.round(draw.random(15), 6).tolist()
    return records.Pose(track=track, score=scores[0], joints=_points(joints), scores=tuple(scores))
