"""Packages of a few lines, and what counts differently after an edit of one."""

import os
from collections.abc import Callable
from pathlib import Path

from tips import code

Files = dict[str, str]
Make = Callable[[Files], Path]
RUN = "tips.main:run"


def put(folder: Path, files: Files) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat().st_mtime_ns if path.exists() else 0
        path.write_text(text)
        if before:  # an edit of equal length within one tick of the clock
            os.utime(path, ns=(before + 10**9, before + 10**9))


def edited(package: Path, files: Files, *roots: str, parts: tuple[str, ...] = ()) -> list[str]:
    """Files that count differently after an edit."""
    then = code.used(*roots, parts=parts, package=package)
    put(package, files)
    now = code.used(*roots, parts=parts, package=package)
    return code.changed(then, now)
