"""The folders in which MLflow's server looks for the artifacts of runs: copies of the runs' files.

Only folders that have our mark are written and removed, and nothing is written behind a link.
"""

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from tips.temporaries import discard
from tips.tracking.database import RUN

MARK: Final = "by-tips"  # a file in the folder of a run of ours; only such folders are removed


def place(artifacts: Path, run: str) -> Path:
    """Gives the folder where the server looks for mlflow-artifacts:/{run}/artifacts."""
    return artifacts / run / "artifacts"


def mark(artifacts: Path, run: str) -> None:
    """Makes the folder of a run of ours."""
    folder = artifacts / run
    folder.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(folder / MARK):
        (folder / MARK).touch()


def copy(artifacts: Path, run: str, folder: Path, paths: Sequence[Path]) -> None:
    """Copies files of a run's folder.

    Args:
        artifacts: the folder of all copies.
        run: the id of the run.
        folder: the run's own folder.
        paths: the files in it.
    """
    mark(artifacts, run)
    for path in paths:
        target = place(artifacts, run) / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def complete(artifacts: Path, run: str, folder: Path, paths: Sequence[Path]) -> bool:
    """Tells whether a run has the copies of its files, and no link among them; args as `copy`."""
    copies = place(artifacts, run)
    if _has_links(copies):
        return False
    return all((copies / path.relative_to(folder)).is_file() for path in paths)


def refresh(artifacts: Path, run: str, contents: Mapping[str, bytes]) -> None:
    """Makes the files of a run these, and leaves alone those that are so already.

    Args:
        artifacts: the folder of all copies.
        run: the id of the run.
        contents: the content of every file by its name, which may name a folder.
    """
    copies = place(artifacts, run)
    if _has_links(copies):
        discard(copies.parent)
    mark(artifacts, run)
    wanted = {copies / name: content for name, content in contents.items()}
    for path in copies.rglob("*"):
        if path not in wanted and not path.is_dir():
            path.unlink()
    for path, content in wanted.items():
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def remove(artifacts: Path, run: str) -> None:
    """Removes the folder of a run; no other name than an id's leads to a folder."""
    if RUN.fullmatch(run):
        discard(artifacts / run)


def sweep(artifacts: Path, living: Collection[str]) -> None:
    """Removes our folders of runs that the database does not have, as after it was deleted."""
    for folder in artifacts.glob("*"):
        if RUN.fullmatch(folder.name) and folder.name not in living and _is_ours(folder):
            discard(folder)


def _is_ours(folder: Path) -> bool:
    """Tells whether we made a folder, or could have, and were killed before it held anything."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return (folder / MARK).is_file() or not any(folder.iterdir())


def _has_links(copies: Path) -> bool:
    return any(path.is_symlink() for path in (copies.parent, copies, *copies.rglob("*")))
