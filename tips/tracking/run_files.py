"""Reads what MLflow shows of a run folder: parameters, numbers, curves, small files."""

import hashlib
import json
import logging
import re
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from tips.config import CAPACITY_CONTROL
from tips.records import RecordError, read_json
from tips.safe_text import one_line
from tips.tables import sources
from tips.tables.cells import known
from tips.tables.compared import Line
from tips.tables.published import Tables

log = logging.getLogger(__name__)
LARGEST: Final = 1_000_000  # bytes; larger files, such as weights and predictions, are no artifacts
# What MLflow's pages show of a run. None of these can run in a browser.
SHOWN: Final = (".json", ".jsonl", ".diff", ".txt", ".csv", ".png", ".jpg")
LONGEST: Final = 1e9  # s; no training takes thirty years
DETAILS: Final = (
    *("seed", "joints", "mean_by_joint", "area_factor"),
    *("code", "inputs", "settings"),
)  # parts of metrics.json that are not copied into the database
CHECKOUT: Final = ("commit", "dirty", "dirty_reason")
IGNORED: Final = (*CHECKOUT, "config", "meaning", "code", "variant", "seed")
_OWN = re.compile(
    r"[^./][^/]*/seed-[0-9]{1,6}/"
)  # the folder of a run, among hidden and other ones
ORIGIN: Final = "tips.origin"  # this tag tells whose network a table's row shows


class Point(NamedTuple):
    """One point of a curve."""

    name: str
    step: int
    value: float


class RunFiles(NamedTuple):
    """One seed of one variant."""

    variant: str
    seed: int
    folder: Path
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float]
    counted: dict[str, float]  # those of them that the tables count
    curves: tuple[Point, ...]
    artifacts: tuple[Path, ...]
    data: tuple[str, str]  # name and digest of the dataset
    time: int  # ms; when metrics.json was written
    duration: int  # ms of training
    key: str  # changes when any of the above does


def read_runs(runs: Path, counted: Collection[Path] | None = None) -> list[RunFiles]:
    """Reads every evaluated run below a folder; runs without metrics are left out.

    So are those whose metrics are no file, with a word on them.

    Args:
        runs: the folder results/runs/{dataset}, which holds {variant}/seed-{n}/.
        counted: the metrics files that the tables count; None: all of them.

    Raises:
        RecordError: a file is malformed.
    """
    every = [*runs.glob("*/seed-*/metrics.json"), *runs.glob("*/seed-*/detected/metrics.json")]
    found = [path for path in every if _OWN.match(path.relative_to(runs).as_posix())]
    bad = {path for path in found if not path.is_file()}
    for path in sorted(bad):
        log.warning(
            "%s: is no regular file, so this run is left out; remove it and run the rule again",
            path,
        )
    own = _folders(runs, found) - _folders(runs, bad)
    return [read_run(folder, found if counted is None else counted) for folder in sorted(own)]


def _folders(runs: Path, files: Collection[Path]) -> set[Path]:
    """Gives the run folders in which files lie."""
    return {runs.joinpath(*path.relative_to(runs).parts[:2]) for path in files}


def read_run(folder: Path, counted: Collection[Path]) -> RunFiles:
    """Reads one run folder; `counted` as in `read_runs`. Raises RecordError for a bad file."""
    scores = [*folder.glob("detected/metrics.json"), *folder.glob("metrics.json")]
    metrics: dict[str, float] = {}
    in_tables: dict[str, float] = {}
    for path in scores:
        other = "" if path.parent == folder else path.parent.name
        numbers = dict(_numbers(_mapping(read_json(path), str(path)), other))
        metrics |= numbers
        in_tables |= numbers if path in counted else {}
    provenance: dict[str, Any] = {}
    record = folder / "provenance.json"
    if record.is_file():
        provenance = _mapping(read_json(record), str(record))
    journal = folder / "train.jsonl"
    curves = tuple(_curves(journal)) if journal.is_file() else ()
    artifacts = tuple(sorted(path for path in folder.rglob("*") if _is_shown(path, folder)))
    digest = hashlib.sha256()
    for path in artifacts:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return RunFiles(
        variant=one_line(folder.parent.name),
        seed=int(folder.name.removeprefix("seed-")),
        folder=folder,
        params=flatten(_mapping(provenance.get("config", {}), f"{record}: config")),
        tags={
            f"provenance.{name}": text
            for name, text in flatten(provenance).items()
            if name.partition(".")[0] not in IGNORED
        }
        | {
            f"tips.{name}": "unknown" if provenance[name] is None else str(provenance[name])
            for name in provenance.keys() & CHECKOUT
        },
        metrics=metrics,
        counted=in_tables,
        curves=curves,
        artifacts=artifacts,
        data=(
            one_line(str(provenance.get("dataset", "")), 100),
            one_line(str(provenance.get("data_digest", ""))[:12]),
        ),
        duration=_duration(provenance.get("seconds", 0), record),
        time=max(0, int(1000 * scores[-1].stat().st_mtime)),
        key=digest.hexdigest(),
    )


def _is_shown(path: Path, folder: Path) -> bool:
    """Tells whether a file is an artifact; no hidden one is, nor what a link leads to."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    if hidden or path.suffix not in SHOWN or path.is_symlink() or not path.is_file():
        return False
    return path.stat().st_size <= LARGEST


def _mapping(value: Any, where: str) -> dict[str, Any]:
    """Gives a value of a record that must have names. Raises RecordError if it has none."""
    if not isinstance(value, dict):
        raise RecordError(f"{where}: no names with values; delete the file and run the rule again")
    return value


def _duration(seconds: Any, path: Path) -> int:
    """Reads the time of a training, s, as ms. Raises RecordError if it is no time."""
    if not isinstance(seconds, int | float) or not 0 <= seconds <= LONGEST:
        raise RecordError(
            f"{path}: seconds is {one_line(repr(seconds), 40)}, and a training takes a number from "
            f"0 to {LONGEST:g}; train again"
        )
    return int(1000 * seconds)


def table_tags(tables: Tables) -> dict[str, dict[str, str]]:
    """Tells which rows of which tables a variant fills, and whose network it is.

    Returns:
        Variant -> {"tips.origin": "ours", "table.II": "e", ...}.
    """
    tags: dict[str, dict[str, str]] = {}
    for table in tables.tables:
        for row in table.rows:
            if row.variant is None or row.boxes != "gt":
                continue
            name = f"table.{table.roman}"
            before = tags.setdefault(row.variant, {ORIGIN: tables.origin(row)}).get(name)
            tags[row.variant][name] = f"{before}, {row.row}" if before else row.row
    return tags


def table_gains(tables: Tables, rows: Mapping[str, Sequence[Line]]) -> dict[str, dict[str, float]]:
    """Gives the gains that the tables show, with the ends of their intervals.

    Args:
        tables: the published tables; rows that they measure on unusual boxes are left out.
        rows: the rows of every table that compares, by its stem.

    Returns:
        Variant -> {"gain/hrnet": 1.2, "gain/hrnet/low": 0.4, "gain/hrnet/high": 2.0, ...}.
    """
    apart = {
        (f"table-{table.name}", row.row)
        for table in tables.tables
        for row in table.rows
        if row.boxes != "gt"
    }
    found: dict[str, dict[str, float]] = {}
    for stem, lines in rows.items():
        for line in lines:
            if (stem, line.row) in apart:
                continue
            own = found.setdefault(line.variant, {})
            for over, gain in ((line.baseline, line.gain), (CAPACITY_CONTROL, line.wide)):
                ends = {"": gain.value, "/low": gain.low, "/high": gain.high}
                own |= {f"gain/{over}{end}": one for end, one in ends.items() if known(one)}
    return found


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Turns nested mappings into one with dotted names. Text stays; other values become JSON."""
    flat: dict[str, str] = {}
    for key, part in value.items():
        name = f"{prefix}{key}"
        if isinstance(part, Mapping) and part:
            flat |= flatten(part, f"{name}.")
        else:
            flat[name] = part if isinstance(part, str) else json.dumps(part, sort_keys=True)
    return flat


def _numbers(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Lists the finite numbers of a nested file, named with slashes, by which MLflow groups them.

    Lists and the details of the 15 joints are left out: hundreds of numbers would hide those that
    are compared. They can be read in the artifact metrics.json.
    """
    for key, part in value.items():
        if key in DETAILS:
            continue
        name = "/".join(filter(None, (prefix, str(key))))
        if isinstance(part, Mapping):
            yield from _numbers(part, name)
        elif isinstance(part, int | float) and not isinstance(part, bool) and _is_finite(part):
            yield name, float(part)


def _is_finite(number: float) -> bool:
    """Tells whether a number of any size is a finite float."""
    return abs(number) <= sys.float_info.max


def _curves(journal: Path) -> Iterator[Point]:
    for step in sources.steps(journal):
        yield Point("train/rate", step.step, step.rate)
        yield Point("train/total", step.step, step.total)
        for name, value in step.terms.items():
            yield Point(f"train/{name}", step.step, value)
