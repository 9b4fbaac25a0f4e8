"""Sets damaged files aside: they are moved, never removed, because somebody may want them."""

from itertools import count
from pathlib import Path


def set_aside(place: Path, *files: Path) -> Path:
    """Moves damaged files into a new folder `damaged-N`.

    Args:
        place: the folder that `damaged-N` is made in, on the files' own file system.
        files: the files; those that do not exist are left out.

    Returns:
        The new folder.
    """
    folder = next(one for n in count(1) if not (one := place / f"damaged-{n}").exists())
    folder.mkdir(parents=True)
    for file in files:
        if file.exists():
            file.rename(folder / file.name)
    return folder
