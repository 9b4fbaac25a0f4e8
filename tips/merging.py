"""Judges whether runs from elsewhere are what this study would make.

A run enters only if its configuration, code, data and backbone have the digests that a training
here would record, and if its own files belong together. What is compared is what `tips why`
compares, with the run's files there and everything that they were made from here.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from tips import freshness
from tips.chain import Judge, Link
from tips.config import ConfigError, Study
from tips.evaluation.metrics import read_scored
from tips.paths import Paths
from tips.proofs import Proof
from tips.provenance import file_digest
from tips.records import Predictions, read, read_object
from tips.training.finished import (
    CHECKPOINT,
    INTERPOLATOR,
    MARK,
    OUTPUTS,
    RECORD,
    WEIGHTS,
)

Run = tuple[str, int]  # variant, seed
State = Literal["enters", "already here"]
SHOWN: Final = 12  # digits of a digest in a message


class Entering(Paths):
    """The paths of a study here, but of another one's runs where that one has a run."""

    others: Paths  # of the study there

    def run(self, variant: str, seed: str) -> Path:
        """Folder of one run: there if it is there, otherwise here."""
        there = self.others.run(variant, seed)
        return there if (there / RECORD).is_file() else super().run(variant, seed)


class Candidate(NamedTuple):
    """One run of the study that there is elsewhere."""

    run: Run
    state: State
    folder: Path  # there
    files: tuple[str, ...]  # their names in the folder
    record: Mapping[str, Any]  # of the training

    @property
    def name(self) -> str:
        """The run as messages name it."""
        return f"{self.run[0]}/seed-{self.run[1]}"


class MismatchError(ConfigError):
    """A run from elsewhere is not what this study would make; the message names the first key."""


def candidates(
    study: Study, here: Paths, there: Paths, proofs: Iterable[Proof], track: Any = iter
) -> Iterator[Candidate]:
    """Yields every run of the study that is there, judged.

    Args:
        study: the study, as it is configured here.
        here: its paths.
        there: the paths of the other one.
        proofs: what `tips recheck` has proved here.
        track: wraps the loop over the runs, to show progress.

    Raises:
        MismatchError: a run is not what this study would make; the message names run, key and
            both values.
        RecordError: a record is malformed, or a file that is compared is missing here.
    """
    paths = Entering(*here)
    paths.others = there
    judge = Judge(study, paths, proofs)
    runs = [(name, seed) for name, one in study.variants.items() for seed in range(one.seeds)]
    # What others build on comes first, so that a backbone which differs is named itself.
    runs.sort(key=lambda run: not study.variant(run[0]).experiment.first_stage)
    for run in track([run for run in runs if (_folder(there, run) / RECORD).is_file()]):
        yield _candidate(judge, run, here, there)


def _folder(paths: Paths, run: Run) -> Path:
    return paths.run(run[0], str(run[1]))


def _candidate(judge: Judge, run: Run, here: Paths, there: Paths) -> Candidate:
    folder = _folder(there, run)
    record = read_object(folder / RECORD)
    found = Candidate(run, "enters", folder, tuple(_files(judge.study, there, run)), record)
    _judge_whole(found, judge.study, here)
    if (_folder(here, run) / CHECKPOINT).is_file():
        _judge_equal(found, _folder(here, run))
        return found._replace(state="already here")
    study, paths = judge.study, judge.paths
    _refuse(found, judge.training(*run), freshness.training_files(study, paths, *run))
    for boxes in _boxes(study):
        if there.predictions(run[0], str(run[1]), boxes).is_file():
            files = freshness.prediction_files(study, paths, *run, boxes)
            _refuse(found, judge.predictions(*run, boxes), files)
        if there.metrics(run[0], str(run[1]), boxes).is_file():
            _judge_scores(found, there, boxes)
            files = freshness.evaluation_files(paths, *run, boxes)
            files |= {"evidence": paths.evidence(run[0], str(run[1]), boxes)}
            _refuse(found, judge.metrics(*run, boxes), files)
    return found


def _boxes(study: Study) -> list[str]:
    evaluation = study.scale.evaluation
    return list(dict.fromkeys((evaluation.boxes, evaluation.other_boxes)))


def _files(study: Study, paths: Paths, run: Run) -> Iterator[str]:
    """Yields the names of a run's files in its folder."""
    folder, key = _folder(paths, run), (run[0], str(run[1]))
    files = [folder / name for name in (*OUTPUTS, MARK, INTERPOLATOR, "dirty.diff")]
    for boxes in _boxes(study):
        files += [paths.predictions(*key, boxes), paths.predicted(*key, boxes)]
        files += [paths.metrics(*key, boxes), paths.evidence(*key, boxes)]
    yield from (file.relative_to(folder).as_posix() for file in files if file.is_file())


def _judge_whole(found: Candidate, study: Study, here: Paths) -> None:
    """Refuses a run whose files do not belong together."""
    if CHECKPOINT not in found.files:
        raise MismatchError(
            f"{found.name}: holds no weights; nothing was merged; take the study's own folder, or "
            "an archive made with --weights"
        )
    expected = {
        "variant": found.run[0],
        "seed": found.run[1],
        "scale": study.scale.name,
        "dataset": here.dataset,
        WEIGHTS: file_digest(found.folder / CHECKPOINT),
    }
    network = found.record.get("interpolator")
    if isinstance(network, Mapping):
        file = found.folder / INTERPOLATOR
        digest = file_digest(file) if file.is_file() else "no file"
        _compare(found, "interpolator.sha256", network.get("sha256"), digest)
    for key, value in expected.items():
        _compare(found, key, found.record.get(key), value)
    missing = [name for name in OUTPUTS if name not in found.files]
    if missing:
        raise MismatchError(f"{found.name}: {missing[0]} is missing there; nothing was merged")


def _compare(found: Candidate, key: str, there: object, here: object) -> None:
    if there != here:
        raise MismatchError(
            f"{found.name}: {key}: {_shown(there)} there, {_shown(here)} here; nothing was merged"
        )


def _judge_equal(found: Candidate, folder: Path) -> None:
    """Refuses a run that is here, too, with other results."""
    results = (CHECKPOINT, "predictions.json", "evidence.npz")
    for name in found.files:
        if Path(name).name in results and (folder / name).is_file():
            values = file_digest(found.folder / name), file_digest(folder / name)
            _compare(found, f"{name} (the run is here already, and it differs)", *values)


def _judge_scores(found: Candidate, there: Paths, boxes: str) -> None:
    """Refuses metrics or predictions that are of another run."""
    key = (found.run[0], str(found.run[1]), boxes)
    scored = read_scored(there.metrics(*key), there.evidence(*key)).metrics
    predicted = read(Predictions, there.predictions(*key))
    for what, one in (("metrics", scored), ("predictions", predicted)):
        for name, value in (("variant", key[0]), ("seed", found.run[1]), ("boxes", boxes)):
            _compare(found, f"{what}.{name}", getattr(one, name), value)


def _refuse(found: Candidate, link: Link, files: Mapping[str, Path]) -> None:
    """Refuses a run if a link of its chain is not current; the message names the first key.

    Args:
        found: the run.
        link: the link.
        files: the files that the link was made from, by the names in its record.
    """
    if link.state == "current":
        return
    for key in link.keys:
        name, _, values = key.partition(": ")
        _compare(found, f"{link.name}: {name}", *values.split(" -> ", 1))
    for file, (then, now) in link.code.items():
        _compare(found, f"{link.name}: code {file}", then or "no file", now or "no file")
    record = link.record
    recorded = {**record.get("input_digests", {}), **record.get("inputs", {})}
    recorded["evidence"] = record.get("evidence")
    for name in link.inputs:
        now = file_digest(files[name]) if files[name].is_file() else f"no file {files[name]}"
        _compare(found, f"{link.name}: {name}", recorded.get(name, "nothing"), now)
    raise MismatchError(
        f"{found.name}: {link.name}: {link.words or link.state}; nothing was merged"
    )


def _shown(value: object) -> str:
    text = str(value)
    is_digest = len(text) == 64 and not set(text) - set("0123456789abcdef")
    return text[:SHOWN] if is_digest else text
