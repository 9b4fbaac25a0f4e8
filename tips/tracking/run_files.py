"""Reads what MLflow shows of a run folder: parameters, numbers, curves, small files."""

import hashlib
import logging
import re
import shlex
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from tips.provenance import HASH
from tips.records import RecordError, read_json
from tips.safe_text import one_line
from tips.tables import sources
from tips.tracking.shown import flatten, measured

log = logging.getLogger(__name__)
LARGEST: Final = 1_000_000  # bytes; larger files, such as weights and predictions, are no artifacts
# What MLflow's pages show of a run. None of these can run in a browser.
SHOWN: Final = (".json", ".jsonl", ".diff", ".txt", ".csv", ".png", ".jpg")
TIMES: Final = "tips.times"  # this tag says where the start and the end of a run are known from
LONGEST: Final = 1e9  # s; no training takes thirty years
CHECKOUT: Final = ("commit", "dirty", "dirty_reason")
# Parts of a training's record that are tags. All others can be read in the artifact
# provenance.json: digests, versions, lists, and the settings, which are parameters.
TAGS: Final = (
    *("machine", "device", "kernels", "precision", "threads", "scale"),
    *("parameters", "steps", "resumed_at", "card", "driver", "ranks", "job", "node"),
)
_OWN = re.compile(
    r"[^./][^/]*/seed-[0-9]{1,6}/"
)  # the folder of a run, among hidden and other ones


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
    settings: dict[str, Any]  # what its training reads, nested
    tags: dict[str, str]
    metrics: dict[str, float]
    counted: dict[str, float]  # those of them that the tables count
    curves: tuple[Point, ...]
    artifacts: tuple[Path, ...]
    data: tuple[str, str]  # name and digest of the dataset
    start: int  # ms; when the training began
    end: int  # ms; when it ended
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
        numbers = measured(_mapping(read_json(path), str(path)), other)
        metrics |= numbers
        in_tables |= numbers if path in counted else {}
    provenance: dict[str, Any] = {}
    record = folder / "provenance.json"
    if record.is_file():
        provenance = _mapping(read_json(record), str(record))
    journal = folder / "train.jsonl"
    curves = tuple(_curves(journal)) if journal.is_file() else ()
    artifacts = tuple(sorted(path for path in folder.rglob("*") if is_shown(path, folder)))
    digest = hashlib.sha256()
    for path in artifacts:
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    # Records hold no time of day; a training ended when it wrote its record, as its last file.
    end = max(0, int(1000 * (record if provenance else scores[-1]).stat().st_mtime))
    return RunFiles(
        variant=one_line(folder.parent.name),
        seed=int(folder.name.removeprefix("seed-")),
        folder=folder,
        settings=_mapping(provenance.get("meaning", {}), f"{record}: meaning"),
        tags=_tags(provenance) | _source(provenance, folder),
        metrics=metrics,
        counted=in_tables,
        curves=curves,
        artifacts=artifacts,
        data=(
            one_line(str(provenance.get("dataset", "")), 100),
            one_line(str(provenance.get("data_digest", "")), 64),
        ),
        start=max(0, end - _duration(provenance.get("seconds", 0), record)),
        end=end,
        key=digest.hexdigest(),
    )


def _tags(provenance: Mapping[str, Any]) -> dict[str, str]:
    """Gives the tags that tell how a run was made."""
    shown = [name for name in TAGS if name in provenance]
    found = {
        f"provenance.{name}": text
        for name, text in flatten({name: provenance[name] for name in shown}).items()
    }
    for name in provenance.keys() & CHECKOUT:
        found[f"tips.{name}"] = "unknown" if provenance[name] is None else str(provenance[name])
    return found | {TIMES: _times(provenance)}


def _times(provenance: Mapping[str, Any]) -> str:
    """Says where the start and the end of a run are known from."""
    if not provenance:
        return "no training; both times are that of metrics.json"
    said = "the end is when provenance.json was written, the start its `seconds` before that"
    if provenance.get("resumed_at"):
        said += "; the training was interrupted, and the pauses are left out"
    return said


def _source(provenance: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """Gives the tags by which MLflow shows the command of a run and the commit of its code."""
    variant, seed = folder.parent.name, folder.name.removeprefix("seed-")
    if not provenance:
        return {}
    words = ["tips", "stage", "train", "--scale", str(provenance.get("scale", ""))]
    words += ["--variant", variant, "--seed", seed]
    found = {"mlflow.source.type": "LOCAL", "mlflow.source.name": shlex.join(words)}
    commit, dirty = str(provenance.get("commit", "")), provenance.get("dirty")
    if HASH.fullmatch(commit):
        found["mlflow.source.git.commit"] = commit
    if isinstance(dirty, bool):
        found["mlflow.source.git.dirty"] = str(dirty).lower()
    return found


def is_shown(path: Path, folder: Path) -> bool:
    """Tells whether a file below a folder is an artifact; no hidden one is, nor a link's target.

    Args:
        path: the file.
        folder: the folder.
    """
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


def _curves(journal: Path) -> Iterator[Point]:
    for step in sources.steps(journal):
        yield Point("train/rate", step.step, step.rate)
        yield Point("train/total", step.step, step.total)
        for name, value in step.terms.items():
            yield Point(f"train/{name}", step.step, value)
