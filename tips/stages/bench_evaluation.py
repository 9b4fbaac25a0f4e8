"""Times the evaluation against `json.load`, and one evaluation of PoseTrack18-val's size."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tips.bench.evaluation_page import page
from tips.bench.paired_timing import quartiles, seconds, timed
from tips.bench.synthetic_dataset import Crowd, write_crowd
from tips.config import ConfigError
from tips.evaluation.average_precision import average_precision
from tips.evaluation.matching import match
from tips.evaluation.poseval_files import Style
from tips.evaluation.poseval_reader import pairs as file_pairs
from tips.evaluation.poseval_reader import read_folders
from tips.records import atomic_path, write_json

STYLES: tuple[Style, ...] = (17, 18)


# PROMISED is the size that the promised ratio holds for. VALIDATION is about the size of
# PoseTrack18's validation split.
PROMISED = Crowd(50, 30, 6, vary=False)
VALIDATION = Crowd(170, 100, 6, vary=True)


def run(
    out: Path = Path("results/bench/evaluation.json"),
    report: Path = Path("reports/bench/evaluation.md"),
    pairs: int = 15,
) -> None:
    """Writes the time of an evaluation over that of json.load, and time and memory of a large one.

    Times are process CPU times. The evaluation is what follows after reading the files: ignore
    regions, assignment of predictions to people, and average precision.

    Args:
        out: Writes the numbers to this json file.
        report: Writes the same as a page to this Markdown file.
        pairs: Takes this number of pairs of measurements, one of each side in turn.

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
    """Times json.load of all files and the evaluation of what was read, both in turn.

    Args:
        crowd: the size of the made-up dataset.
        style: the form of its files, 17 or 18.
        folder: the folder that the dataset is written into.
        pairs: the number of timed pairs.

    Returns:
        The record of this size and form, as `run` writes it.
    """
    write_crowd(crowd, folder, style)
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
    """Measures time and peak memory of `tips evaluate` in a process of its own."""
    write_crowd(crowd, folder, 18)
    files = [folder / "gt", folder / "pred", "--json", folder / "out.json"]
    command = [sys.executable, "-m", "tips", "evaluate", *map(str, files)]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    # wait4 tells the memory of this one child. The child starts as a copy of this process, so it
    # never tells less than this process held.
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
