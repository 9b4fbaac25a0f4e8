"""Finds files below a dataset's root, whoever unpacked them into whatever folders.

Archives of one dataset nest their folders differently (`posetrack_data/annotations`,
`annotations`). So label folders, and the folder that frame names are relative to, are searched
for; the one nearest to the root is taken.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tips.records import RecordError
from tips.temporaries import visible

DEPTH: Final = 3  # levels below the root that are searched: unpacked/images/posetrack_data


def folders(root: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Yields the root and the folders below it, the nearest first, without hidden ones."""
    level = [root]
    yield from level
    for _ in range(depth):
        level = [
            child
            for parent in level
            if parent.is_dir()
            for child in sorted(parent.iterdir())
            if child.is_dir() and not child.name.startswith(".")
        ]
        yield from level


def find(root: Path, pattern: str) -> Path | None:
    """Finds the nearest folder, from the root downwards, in which something has the pattern."""
    return next((folder for folder in folders(root) if visible(folder, pattern)), None)


def find_labels(root: Path, name: str, patterns: tuple[str, ...]) -> Path:
    """Finds the nearest label folder.

    Args:
        root: the dataset's folder.
        name: name of the label folder.
        patterns: patterns of label files, of which one must find a file in it.

    Raises:
        RecordError: if there is none.
    """
    for folder in folders(root):
        if any(visible(folder / name, pattern) for pattern in patterns):
            return folder / name
    raise RecordError(
        f"{root / name}: no file {' or '.join(patterns)} in it, nor in a folder of that name below "
        f"{root}; put the labels there"
    )


def prefix(root: Path, file: str) -> str:
    """Finds the prefix that turns a frame's name into a path below the root: "" or "folder/".

    Args:
        root: the dataset's folder.
        file: name of one frame in the labels.

    Raises:
        RecordError: if no folder holds that file.
    """
    for folder in folders(root):
        if (folder / file).exists():
            inner = folder.relative_to(root).as_posix()
            return "" if inner == "." else f"{inner}/"
    raise RecordError(f"{root / file}: no such file, nor below {root}; put the frames there")
