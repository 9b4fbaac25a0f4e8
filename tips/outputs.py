"""Judges the files that a user tells a command to write, before the command begins."""

import os
from pathlib import Path
from typing import Final

from tips.records import RecordError, judge_place
from tips.streams import is_stream

SOURCES: Final = ("experiments", "workflow", "tips", "csrc", "tests", ".git")  # of this project


def followed(path: Path | None) -> Path | None:
    """Follows a user's link to the file that shall be written; a device or a pipe is none.

    Raises:
        RecordError: the file cannot be written there, or it is one that the project is made from.
    """
    if path is None or is_stream(path):
        return path
    real = Path(os.path.realpath(path))
    if real.is_symlink():
        raise RecordError(f"{path}: is a link to itself; give another name")
    if is_stream(real):
        return real
    judge_place(real)
    here = Path.cwd().resolve()
    below = real.relative_to(here).parts if real.is_relative_to(here) else ()
    ours = "runs" in below[:-1] or (below and below[0] in SOURCES)
    if ours and real.exists():
        raise RecordError(f"{path}: would write over a file of the project; give another name")
    return real if path.is_symlink() else path
