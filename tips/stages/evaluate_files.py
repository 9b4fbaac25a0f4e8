"""Scores predictions in PoseTrack's own files against ground truth (`tips evaluate`)."""

import csv as csv_file
import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from os.path import realpath
from pathlib import Path
from typing import IO, Any, cast, get_args

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tips import records, skeleton
from tips.config import ConfigError
from tips.evaluation import paired, summary
from tips.evaluation.average_precision import Scores, average_precision
from tips.evaluation.matching import THRESHOLD, match
from tips.evaluation.oks import AREA_FACTOR, SIGMAS, coco_ap, part_oks
from tips.evaluation.paired import Difference
from tips.evaluation.people import HEAD_FACTOR, Clip, Rule
from tips.evaluation.poseval_reader import Pair, pairs, read_pair
from tips.evaluation.poseval_side import NO_SCORE
from tips.progress import track
from tips.streams import is_stream

log = logging.getLogger(__name__)


def run(
    truth: Path,
    found: Path,
    csv: Path | None = None,
    json: Path | None = None,
    rule: str = "poseval",
    threshold: float = THRESHOLD,
    head_factor: float = HEAD_FACTOR,
    oks: bool = False,
    sigmas: str = "pifpaf",
    area_factor: float = AREA_FACTOR,
    against: Path | None = None,
) -> None:
    """Prints AP per joint and column, as poseval has it; the outputs repeat every setting.

    Args:
        truth: Names the folder, or the file, of ground truth in PoseTrack17's or 18's json.
        found: Names the folder of predictions, in files of the same names, or one file.
        csv: Writes the rows of both tables to this file.
        json: Writes all scores and settings to this file.
        rule: Counts as poseval, or with kit21 as PoseTrack21's own kit does.
        threshold: Sets the largest distance of a hit, in head sizes.
        head_factor: Sets the head size as a share of the head box's diagonal.
        oks: Also computes the OKS of parts and COCO's AP; the truth needs person boxes.
        sigmas: Takes the sigmas of OKS, one per joint, from pifpaf or from mmpose.
        area_factor: Sets a person's area, for OKS, as a share of the box.
        against: Also compares with these predictions, in files of the same names: the difference
            of AP with an interval over sequences.

    Raises:
        ConfigError: a switch has no such value.
        RecordError: files are missing or malformed; file and record are named.
    """
    _one_of("--rule", rule, get_args(Rule))
    _one_of("--sigmas", sigmas, SIGMAS)
    _positive(threshold=threshold, head_factor=head_factor, area_factor=area_factor)
    chosen = cast(Rule, rule)
    files = _pairs(truth, found)
    others = () if against is None else _others(truth, against)
    _check_outputs(csv, json, [*files, *others])
    read = partial(read_pair, rule=chosen, head_factor=head_factor)
    clips = [read(pair) for pair in track(files, "reading")]
    _judge(clips, truth)
    evidence = match(clips, threshold, chosen)
    scores = average_precision(evidence)
    switches: dict[str, Any] = {"rule": rule, "threshold": threshold, "head_factor": head_factor}
    switches |= {"ties": "file order", "joints": list(skeleton.JOINTS)}
    theirs = [read(pair) for pair in track(others, "reading --against")] if others else []
    _warn(theirs)
    compared = paired.differences(evidence, match(theirs, threshold, chosen)) if theirs else []
    result = summary.as_json(scores) | ({"against": paired.as_json(compared)} if compared else {})
    if oks:
        switches |= {"sigmas": list(SIGMAS[sigmas]), "area_factor": area_factor}
        result["oks"] = _oks(clips, SIGMAS[sigmas], area_factor)
    _write(scores, result | {"switches": switches}, compared, csv, json)
    _print(scores, f"{_counted(clips)}, {_in_words(switches)}")
    if compared:
        _print_compared(compared, against)
    if oks:
        _print_oks(result["oks"], f"sigmas {sigmas}, area {area_factor:g} x box")


def _counted(clips: Sequence[Clip]) -> str:
    frames = sum(len(clip.positions) for clip in clips)
    return f"{len(clips)} sequence{'s' * (len(clips) != 1)}, {frames} frames counted"


def _pairs(truth: Path, found: Path) -> tuple[Pair, ...]:
    """Pairs the files of two folders; a run's folder, which holds none, is told what to do."""
    name = "predictions.json"
    if (found / name).is_file() and truth.is_dir() and not (truth / name).exists():
        raise records.RecordError(
            f"{found}: a run's folder, whose predictions are not in PoseTrack's json; write them: "
            f"tips stage export {_run_in_words(found)} --out FOLDER, then give FOLDER/predictions"
        )
    return pairs(truth, found)


def _others(truth: Path, against: Path) -> tuple[Pair, ...]:
    if not against.exists():
        raise records.RecordError(f"--against {against}: no such file or folder; mend its name")
    return _pairs(truth, against)


def _run_in_words(folder: Path) -> str:
    """Gives the options that name a run, by its own record if that has them."""
    file = folder / "provenance.json"
    said = records.read_object(file) if file.is_file() else {}
    words = {"variant": "NAME", "seed": "N", "scale": "SCALE"}
    return " ".join(f"--{key} {said.get(key, word)}" for key, word in words.items())


def _judge(clips: Sequence[Clip], truth: Path) -> None:
    """Refuses a truth without people, and warns of odd predictions."""
    if not any(len(frame.joints) for clip in clips for frame in clip.truth):
        raise records.RecordError(
            f"{truth}: no person in any frame that counts, so there is nothing to score; give "
            "annotations with people"
        )
    _warn(clips)


def _check_outputs(csv: Path | None, json: Path | None, files: Sequence[Pair]) -> None:
    """Refuses an output that would overwrite an input or the other output."""
    taken = {realpath(file) for pair in files for file in (pair.truth, pair.found)}
    for option, file in (("--csv", csv), ("--json", json)):
        if file is None or is_stream(file):
            continue
        if realpath(file) in taken:
            raise ConfigError(f"{option} {file}: would be written over; give another name")
        taken.add(realpath(file))


def _one_of(option: str, value: str, known: Sequence[str] | Mapping[str, object]) -> None:
    if value not in known:
        raise ConfigError(f"{option} must be one of {', '.join(known)}; got {value!r}")


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < math.inf:
            option = f"--{name.replace('_', '-')}"
            raise ConfigError(f"{option} must be a positive number; got {value:g}")


def _warn(clips: Sequence[Clip]) -> None:
    """Warns of predictions that are counted as they are, but are probably mistakes."""
    places = [
        (clip.name, position, frame)
        for clip in clips
        for position, frame in zip(clip.positions, clip.found, strict=True)
    ]
    listed = [~np.isnan(frame.joints).any(axis=-1) for *_, frame in places]
    for what, marks in (
        (
            "predicted joints without finite coordinates count as misses",
            [np.isinf(frame.joints).any(axis=-1) for *_, frame in places],
        ),
        (
            "predicted joints with NaN for a score come first in the ranking",
            [np.isnan(frame.scores) for *_, frame in places],
        ),
        (
            f"predicted joints without a score get {NO_SCORE:g}",
            [frame.scores == NO_SCORE for *_, frame in places],
        ),
    ):
        counts = [int((mark & has).sum()) for mark, has in zip(marks, listed, strict=True)]
        if any(counts):
            name, position, _ = places[int(np.argmax(np.array(counts) > 0))]
            log.warning("%d %s, first in %s, frame %d", sum(counts), what, name, position)


def _oks(clips: Sequence[Clip], sigmas: Sequence[float], area_factor: float) -> dict[str, Any]:
    parts = part_oks(clips, "best", sigmas, area_factor)
    result: dict[str, Any] = records.without_nan(
        {
            "coco": coco_ap(clips, sigmas, area_factor)._asdict(),
            "parts": {name: part._asdict() for name, part in parts.parts.items()},
            "mean": parts.mean,
            "mean_by_joint": parts.mean_by_joint,
            "matching": parts.matching,
        }
    )
    return result


def _write(
    scores: Scores,
    result: dict[str, Any],
    compared: Sequence[Difference],
    csv: Path | None,
    json: Path | None,
) -> None:
    """Writes both files; neither appears if one cannot be written."""
    with ExitStack() as both:
        if json is not None:
            records.dump_json(result, both.enter_context(records.atomic(json)))
        if csv is not None:
            stream = both.enter_context(records.atomic(csv))
            _write_csv(scores, result["switches"], compared, stream)


def _write_csv(
    scores: Scores, switches: Mapping[str, Any], compared: Sequence[Difference], stream: IO[str]
) -> None:
    """Writes one row per joint, column and total; every row repeats the settings."""
    names = ("rule", "threshold", "head_factor", "ties")
    others = {one.name: one.values for one in compared}
    more = paired.KEYS if compared else ()
    rows = csv_file.writer(stream, lineterminator="\n")
    rows.writerow([*summary.HEADER, *names, *more])
    for row in [*summary.joint_rows(scores), *summary.column_rows(scores)]:
        beside = others.get(str(row[0]), {})
        cells = [*row, *(switches[name] for name in names), *(beside.get(key, "") for key in more)]
        rows.writerow(["" if isinstance(x, float) and math.isnan(x) else x for x in cells])


def _in_words(switches: Mapping[str, Any]) -> str:
    return (
        f"rule {switches['rule']}, hits within {switches['threshold']:g} head sizes, head size = "
        f"{switches['head_factor']:g} x diagonal"
    )


def _print(scores: Scores, caption: str) -> None:
    totals = summary.column_rows(scores)
    wide = Table(title="AP")
    for name, *_ in totals:
        wide.add_column(name, justify="right")
    wide.add_row(*(_cell(ap) for _, ap, *_ in totals))
    by_joint = Table("joint", caption=caption)
    for name in summary.HEADER[1:]:
        by_joint.add_column({"ap": "AP"}.get(name, name), justify="right")
    for joint, *values in [*summary.joint_rows(scores), totals[-1]]:
        by_joint.add_row(joint, *map(_cell, values), end_section=joint == skeleton.JOINTS[-1])
    console = Console()
    console.print(wide)
    console.print(by_joint)


def _print_compared(compared: Sequence[Difference], against: Path | None) -> None:
    table = Table("AP", title=escape(f"against {against}"), caption=paired.caption(compared))
    for name in ("ours", *paired.KEYS[:2], "interval"):
        table.add_column(name, justify="right")
    for one in compared:
        low, high = one.interval.low, one.interval.high
        ends = f"[{low:+.2f}, {high:+.2f}]" if one.interval.known else "unknown"
        apart = one.interval.difference
        cells = (_cell(one.ours), _cell(one.other), "-" if math.isnan(apart) else f"{apart:+.2f}")
        table.add_row(one.name, *cells, escape(ends), end_section=one.name == "Ankle")
    Console().print(table)


def _print_oks(oks: Mapping[str, Any], caption: str) -> None:
    table = Table("part", title="OKS", caption=caption)
    for name in ("OKS", "matched only", "AP .50:.95", "people"):
        table.add_column(name, justify="right")
    for part, values in oks["parts"].items():
        cells = [values["score"], values["matched"], values["ap"], values["n"]]
        table.add_row(part, *map(_cell, cells))
    coco = oks["coco"]
    table.add_section()
    table.add_row("mean of parts", _cell(oks["mean"]), "", "", "")
    for key, name in (("ap", "whole people"), ("ap50", "at .50"), ("ap75", "at .75")):
        table.add_row(name, "", "", _cell(coco[key]), "")
    Console().print(table)


def _cell(value: float | None) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.2f}"
