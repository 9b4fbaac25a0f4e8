"""Hidden files: what is being written, or was when a process was killed. No reader sees them.

A file that is being written is named `.STEM.PROCESS.SUFFIX`, beside the place that it will have.
"""

import glob
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import psutil

NAME: Final = re.compile(r"\..+\.(?P<process>[1-9]\d{0,9})(\.[^.]*)?")
SLACK: Final = 2.0  # s; clocks of files and of processes are not the same


def hidden_name(path: Path) -> Path:
    """Names the file that this process writes before it becomes `path`."""
    return path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")


def visible(folder: Path, pattern: str) -> list[Path]:
    """Lists the paths below a folder that match a pattern, in order, without hidden ones.

    A path is hidden if its own name, or that of a folder between, begins with a dot, and the
    pattern does not name just that.
    """
    named = Path(pattern).parts
    return sorted(
        path
        for path in folder.glob(pattern)
        if not any(p.startswith(".") and p not in named for p in path.relative_to(folder).parts)
    )


def discard(path: Path) -> None:
    """Removes a file, a link, or a folder with its content, but never what a link leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def drop_links(folder: Path) -> None:
    """Removes every link in a folder, at any depth, and the folder if it is one itself.

    Where others write under names that we give them, a stranger's link would lead them elsewhere.
    """
    if folder.is_symlink():
        folder.unlink()
    for at, folders, files in os.walk(folder):
        for path in (Path(at, name) for name in (*folders, *files)):
            if path.is_symlink():
                path.unlink()


def sweep(folders: Iterable[Path]) -> list[Path]:
    """Removes what processes that are gone were writing; returns the removed files.

    Args:
        folders: folders to look into, at any depth. No process of another container or host may
            be writing there.
    """
    left = [path for folder in folders for path in _files(folder) if _abandoned(path)]
    for path in left:
        path.unlink(missing_ok=True)
    return left


def sweep_beside(path: Path) -> None:
    """Removes what processes that are gone were writing to become this one file."""
    for one in path.parent.glob(f".{glob.escape(path.stem)}.*{glob.escape(path.suffix)}"):
        if _abandoned(one):
            one.unlink(missing_ok=True)


def _files(folder: Path) -> Iterator[Path]:
    for at, _, names in os.walk(folder):
        yield from (Path(at, name) for name in names if name.startswith("."))


def _abandoned(path: Path) -> bool:
    """Tells whether a file is the work of a process that is gone."""
    found = NAME.fullmatch(path.name)
    if found is None or not path.is_file():
        return False
    try:
        process = psutil.Process(int(found["process"]))
        # A process that began later has only the same number.
        later: bool = process.create_time() > path.stat().st_mtime + SLACK
        return later or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
