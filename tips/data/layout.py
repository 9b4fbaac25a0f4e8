"""Where things lie below a dataset's root: unpacked by us, by the user, in whatever folders.

Archives of one set nest their folders differently (`posetrack_data/annotations`, `annotations`), so
label folders and the folder that frame names start from are looked for, the nearest first.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tips.records import RecordError

DEPTH: Final = 3  # folders below the root: unpacked/images/posetrack_data


def folders(root: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Walks the root and the folders below it, the nearest first, hidden ones left out."""
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
    """The nearest folder below the root, or the root, in which the pattern finds something."""
    return next((folder for folder in folders(root) if any(folder.glob(pattern))), None)


def find_labels(root: Path, name: str, patterns: tuple[str, ...]) -> Path:
    """The label folder of that name which holds files of one of the patterns.

    Raises:
        RecordError: there is none.
    """
    for folder in folders(root):
        if any(any((folder / name).glob(pattern)) for pattern in patterns):
            return folder / name
    raise RecordError(
        f"{root / name}: no file {' or '.join(patterns)} in it, nor in a folder of that name below "
        f"{root}; put the labels there"
    )


def prefix(root: Path, file: str) -> str:
    """What turns a frame's name into a path below the root, `` or `folder/`.

    Args:
        root: of the dataset.
        file: name of one frame in the labels.

    Raises:
        RecordError: no folder holds that file.
    """
    for folder in folders(root):
        if (folder / file).exists():
            inner = folder.relative_to(root).as_posix()
            return "" if inner == "." else f"{inner}/"
    raise RecordError(f"{root / file}: no such file, nor below {root}; put the frames there")
