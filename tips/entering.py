"""Copies runs from elsewhere into a study: all of them or none, also if the process is killed.

First all files are copied into a folder of their own. Then a file in it says that they are whole,
and from then on they enter: what a kill interrupts, the next merge goes on with. A run's weights
are moved last, so a run that lacks them has not entered. What stops the moves otherwise, such as an
error or Ctrl-C, takes all files back.
"""

import os
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from tips import made
from tips.config.names import Name
from tips.merging import Candidate
from tips.paths import Paths
from tips.provenance import file_digest
from tips.records import InsideFile, Record, RecordError, read, read_object, write
from tips.temporaries import discard
from tips.training.finished import CHECKPOINT, MARK, RECORD, WEIGHTS, FinishedRun

STAGING: Final = ".merge"  # folder below the results, of files that have not entered yet
BEGUN: Final = "begun.json"  # in it; is there when all other files are
RECORDS: Final = "made.json"  # in it: the workflow's records of the other study
FAILURE: Final = "failed.json"


class Entering(Record):
    """One run whose files are copied whole, by their names in its folder."""

    variant: Name
    seed: Annotated[int, Field(ge=0, le=10**9)]
    files: tuple[InsideFile, ...]

    @property
    def name(self) -> str:
        """The folder of the run below the one of all copied files."""
        return f"{self.variant}/seed-{self.seed}"

    def folder(self, here: Paths) -> Path:
        """The folder of the run in the study."""
        return here.run(self.variant, str(self.seed))


class Begun(Record):
    """The runs of a merge whose files are copied whole."""

    runs: tuple[Entering, ...]


def enter(found: Iterable[Candidate], here: Paths, there: Paths) -> None:
    """Copies runs into the study: all of them or, if anything fails, none.

    Args:
        found: the runs that enter.
        here: the paths of the study.
        there: the paths of the other one.

    Raises:
        RecordError: a file changed while it was copied, or a file of records is malformed.
    """
    staging = here.results / STAGING
    chosen = {Entering(variant=one.run[0], seed=one.run[1], files=one.files): one for one in found}
    made.joined(here.made, there.made, ())  # refuses malformed records before anything is copied
    discard(staging)  # what a killed process had left, before its files were whole
    with ExitStack() as back:
        back.callback(discard, staging)
        for run, one in chosen.items():
            _copy(one, staging / run.name)
        if there.made.is_file():
            shutil.copyfile(there.made, staging / RECORDS)
        write(Begun(runs=tuple(chosen)), staging / BEGUN)
        for run in chosen:
            _move(run, staging / run.name, run.folder(here), back)
        back.pop_all()
    _finish(chosen, here)


def go_on(here: Paths) -> int:
    """Lets the runs enter that a killed merge had copied whole; gives their number.

    A run that was trained here in the meantime stays as it is.

    Args:
        here: the paths of the study.

    Raises:
        RecordError: what the killed merge left is malformed.
    """
    staging = here.results / STAGING
    if not (staging / BEGUN).is_file():
        return 0
    runs = [one for one in read(Begun, staging / BEGUN).runs if _goes_on(one, here)]
    for run in runs:
        _move(run, staging / run.name, run.folder(here), ExitStack())  # what is moved, stays
    _finish(runs, here)
    return len(runs)


def _goes_on(run: Entering, here: Paths) -> bool:
    """Tells whether every file of a run is either copied or moved, and none was made anew here."""
    copied, folder = here.results / STAGING / run.name, run.folder(here)
    if (copied / CHECKPOINT).is_file() and (folder / CHECKPOINT).exists():
        return False
    return all((copied / name).is_file() or (folder / name).is_file() for name in run.files)


def _copy(one: Candidate, target: Path) -> None:
    """Copies one run's files beside the study, with the digests that were judged."""
    for name in one.files:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(one.folder / name, target / name)
    unchanged = read_object(target / RECORD) == one.record
    if not unchanged or file_digest(target / CHECKPOINT) != one.record[WEIGHTS]:
        raise RecordError(f"{one.folder}: changed while it was copied; run again when it is done")


def _move(run: Entering, source: Path, folder: Path, back: ExitStack) -> None:
    """Moves the files of a run to their places, the weights last; `back` undoes that.

    What an unfinished training had left in a place is moved aside, and goes with the copies.
    """
    for name in sorted(run.files, key=lambda name: name == CHECKPOINT):
        if (source / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            earlier = source / f"{name}.earlier"
            back.callback(_put_back, earlier, folder / name)
            if (folder / name).exists():
                os.replace(folder / name, earlier)
            back.callback(_take_back, source / name, folder / name)
            os.replace(source / name, folder / name)


def _put_back(earlier: Path, target: Path) -> None:
    if earlier.exists():
        os.rename(earlier, target)


def _take_back(source: Path, target: Path) -> None:
    if not source.exists():  # else it was not moved
        target.unlink()


def _finish(runs: Iterable[Entering], here: Paths) -> None:
    """Marks runs as finished, as their trainings do: a rule that runs once more keeps them.

    All files get the same time, so that none seems newer than one that was made from it.
    """
    chosen, staging = list(runs), here.results / STAGING
    files = [run.folder(here) / name for run in chosen for name in run.files]
    for file in files:
        os.utime(file)
    for run in chosen:
        folder = run.folder(here)
        (folder / FAILURE).unlink(missing_ok=True)
        if MARK in run.files:
            key = str(read_object(folder / MARK).get("key"))
            FinishedRun(folder, here.state(run.variant, str(run.seed)), key).keep()
    outputs = {file.as_posix() for file in files}
    made.adopt(made.joined(here.made, staging / RECORDS, outputs), here.made, outputs)
    discard(staging)
