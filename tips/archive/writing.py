"""Writes a study archive: the same members give the same bytes, wherever and whenever."""

import hashlib
import zipfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import IO, Final

from tips.archive import form
from tips.records import RecordError, atomic_path, judge_place
from tips.temporaries import sweep_beside

DATE: Final = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can have
ATTRIBUTES: Final = 0o100644 << 16  # a plain file that everybody may read
PACKED: Final = (".npz", ".pt", ".png", ".jpg")  # is not packed once more


def judge_output(path: Path) -> None:
    """Refuses to write over what is no study archive.

    Raises:
        RecordError: if the file is anything else, or cannot be written.
    """
    judge_place(path)
    if path.suffix != ".zip":
        raise RecordError(f"{path}: must end in .zip")
    if path.is_file() and path.stat().st_size and not form.is_archive(path):
        raise RecordError(f"{path}: exists, and is no study archive; give another name")


def write_archive(path: Path, members: Iterable[tuple[str, Path | bytes]]) -> dict[str, str]:
    """Writes an archive, which gets its name only when it is complete.

    Args:
        path: the file.
        members: names and contents, in the order in which they are written. A content may be
            made when its turn comes.

    Returns:
        The sha256 of every member but the list itself, by name.
    """
    digests: dict[str, str] = {}
    judge_output(path)
    sweep_beside(path)
    with atomic_path(path) as temporary:
        with zipfile.ZipFile(temporary, "w") as archive:
            archive.comment = form.comment()
            for name, content in members:
                digests[name] = _add(archive, name, content)
            _add(archive, form.SUMS, form.sums(digests).encode())
        with temporary.open("r+b") as file:
            file.seek(-form.DIGITS, 2)
            file.write(form.seal_of(temporary).encode())
    return digests


def _add(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> str:
    """Adds a member; gives its sha256."""
    info = zipfile.ZipInfo(name, DATE)
    info.create_system, info.external_attr = 3, ATTRIBUTES
    packed = Path(name).suffix in PACKED
    info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    with _opened(content) as source:
        info.file_size = source.seek(0, 2)  # by which the zip chooses the width of its numbers
        source.seek(0)
        found = hashlib.sha256()
        with archive.open(info, "w") as target:
            while chunk := source.read(form.CHUNK):
                found.update(chunk)
                target.write(chunk)
    return found.hexdigest()


def _opened(content: Path | bytes) -> IO[bytes]:
    return BytesIO(content) if isinstance(content, bytes) else content.open("rb")
