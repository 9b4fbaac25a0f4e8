"""Keeps finished runs, so that a rule that runs once more does not train the same thing twice.

A rule runs once more if snakemake was killed before it saw the job end, or if the training's inputs
were made again with the same content. Snakemake deletes a job's outputs before it runs the job. So
the files of a finished run get a second name (a hard link) in the folder of the training state,
which no rule knows. That takes no space on the disk, unless somebody copies the study with a tool
that copies every name as a file of its own.
"""

import logging
import os
import shutil
from pathlib import Path
from typing import Any, Final

from tips import records
from tips.aside import set_aside
from tips.provenance import file_digest
from tips.records import RecordError

log = logging.getLogger(__name__)

RECORD: Final = "provenance.json"
CHECKPOINT: Final = "checkpoint.pt"
JOURNAL: Final = "train.jsonl"
INTERPOLATOR: Final = "vfit.pt"  # the network behind interim frames of kind `vfit`
OUTPUTS: Final = (CHECKPOINT, JOURNAL, RECORD)  # the rule's outputs, which Snakemake deletes
MARK: Final = "trained.json"  # no output of a rule: it disappears only if a user deletes the run
LINKS: Final = "finished"  # folder of the second names
WEIGHTS: Final = "checkpoint_sha256"  # key of the record


class FinishedRun:
    """The files of a run and their second names.

    Args:
        run: folder of the run.
        state: folder of its training state.
        key: digest of all that the training depends on.
    """

    def __init__(self, run: Path, state: Path, key: str) -> None:
        self.run = run
        self.kept = state / LINKS
        self.mark = {"key": key}

    def keep(self) -> None:
        """Marks the run as finished and links its files, which must be complete."""
        self.forget()
        self.kept.mkdir(parents=True)
        for name in OUTPUTS:
            _link(self.run / name, self.kept / name)
        records.write_json(self.mark, self.run / MARK)

    def restore(self) -> dict[str, Any] | None:
        """Restores the missing files of a finished run from their second names.

        Returns:
            The run's record. None if no run with this key has finished, if files are missing, or
            if the checkpoint is not the one that was recorded.
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
            folder = set_aside(self.kept.parent, self.run / CHECKPOINT)
            file = self.run / CHECKPOINT
            log.warning("%s is not what was trained: moved to %s, training anew", file, folder)
            return None
        return record

    def forget(self) -> None:
        """Removes the second names; the run's own files stay."""
        shutil.rmtree(self.kept, ignore_errors=True)


def _read(path: Path) -> dict[str, Any] | None:
    """Reads a mapping from json; None if the file is missing or holds none."""
    try:
        found = records.read_json(path)
    except RecordError:
        return None
    return found if isinstance(found, dict) else None


def _link(source: Path, target: Path) -> None:
    """Gives a file a second name; copies it if the file system has no hard links."""
    try:
        os.link(source, target)
    except OSError:
        with records.atomic_path(target) as temporary:
            shutil.copyfile(source, temporary)
