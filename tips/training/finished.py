"""A finished run that its rule asks for once more is kept: nothing is trained twice.

That happens where a killed snakemake did not see a job ending, or where what a training reads was
made again with the same content. Snakemake deletes a job's outputs before it runs the job. So a
finished run's files have a second name in the training state, which no rule knows; that costs no
disk, except where a copy of the study makes files of both.
"""

import logging
import os
import shutil
from pathlib import Path
from typing import Any, Final

from tips import records
from tips.provenance import file_digest
from tips.records import RecordError

log = logging.getLogger(__name__)

RECORD: Final = "provenance.json"
CHECKPOINT: Final = "checkpoint.pt"
JOURNAL: Final = "train.jsonl"
OUTPUTS: Final = (CHECKPOINT, JOURNAL, RECORD)  # what Snakemake deletes
MARK: Final = "trained.json"  # what it does not: only who deletes the run deletes this
LINKS: Final = "finished"
WEIGHTS: Final = "checkpoint_sha256"  # key of the record


class FinishedRun:
    """A run's files and their links.

    Args:
        run: folder of the run.
        state: folder of its training state.
        key: digest of all that a training depends on.
    """

    def __init__(self, run: Path, state: Path, key: str) -> None:
        self.run = run
        self.kept = state / LINKS
        self.mark = {"key": key}

    def keep(self) -> None:
        """Marks a run as finished and links its files; they must be complete."""
        self.forget()
        self.kept.mkdir(parents=True)
        for name in OUTPUTS:
            _link(self.run / name, self.kept / name)
        records.write_json(self.mark, self.run / MARK)

    def restore(self) -> dict[str, Any] | None:
        """Puts back what is missing of a finished run.

        Returns:
            The run's record; None where no run with this key is finished, or where its files are
            not there or its weights not those that were recorded.
        """
        if _read(self.run / MARK) != self.mark:
            return None
        for name in OUTPUTS:
            if (self.kept / name).is_file() and not (self.run / name).exists():
                _link(self.kept / name, self.run / name)
        record = _read(self.run / RECORD)
        if record is None or not all((self.run / name).is_file() for name in OUTPUTS):
            return None
        if file_digest(self.run / CHECKPOINT) != record.get(WEIGHTS):
            log.warning("%s is not what was trained: training anew", self.run / CHECKPOINT)
            return None
        return record

    def forget(self) -> None:
        """Removes the links; the run's own files stay."""
        shutil.rmtree(self.kept, ignore_errors=True)


def _read(path: Path) -> dict[str, Any] | None:
    """Reads a mapping; None where the file is missing or is no such thing."""
    try:
        found = records.read_json(path)
    except RecordError:
        return None
    return found if isinstance(found, dict) else None


def _link(source: Path, target: Path) -> None:
    """Gives a file a second name; a copy where the file system has one name for each."""
    try:
        os.link(source, target)
    except OSError:
        with records.atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
