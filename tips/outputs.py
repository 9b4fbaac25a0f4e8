"""Judges the files that a user tells a command to write, before the command begins."""

import os
from pathlib import Path
from typing import Final

from tips.records import RecordError, judge_place
from tips.streams import is_stream

SOURCES: Final = ("experiments", "workflow", "tips", "csrc", "tests", ".git", ".ci", ".venv")
RUNS: Final = "runs"  # the folders of trained runs, whose files nothing writes over
MADE: Final = ("results", "reports")
TOLD: Final = ("cost", "bench")  # folders of MADE that a user's own command may write into
SUFFIXES: Final = {"json": ".json", "csv": ".csv", "report": ".md", "timed": ".json"}


def followed(path: Path | None, option: str = "json", *, by_stage: bool = False) -> Path | None:
    """Follows a user's link to the file that shall be written; a device or a pipe is none.

    Args:
        path: the file, or a folder.
        option: the name of the option: a file is written over only if it is of the option's kind.
        by_stage: whether a stage writes it, as the workflow does, among the results.

    Raises:
        RecordError: the file cannot be written there, or it is not one to be written over.
    """
    if path is None or is_stream(path):
        return path
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise RecordError(f"{path}: is a link to itself; give another name")
    if is_stream(real):
        return real
    if option in SUFFIXES:
        judge_place(real)
    here = Path.cwd().resolve()
    below = real.relative_to(here).parts if real.is_relative_to(here) else ("",)
    if real.exists() and _is_ours(below, by_stage=by_stage):
        raise RecordError(f"{path}: is a part of the project or of its results; give another name")
    kind = SUFFIXES.get(option, real.suffix)
    if real.is_file() and real.suffix != kind:
        raise RecordError(f"{path}: exists, and is no {kind} file; give another name")
    return real if path.is_symlink() else path


def _is_ours(below: tuple[str, ...], *, by_stage: bool) -> bool:
    """Tells whether a place in the working folder, () for itself, is not for a user's output."""
    if not below or below[0] in SOURCES or RUNS in below[:-1]:
        return True
    return below[0] in MADE and not by_stage and below[1:2] not in [(one,) for one in TOLD]
