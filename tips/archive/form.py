"""The form of a study archive: a zip whose comment seals all its bytes, and a list of digests.

The zip's comment ends in the sha256 of the whole file, taken while these last 64 bytes are zeros
of text. So no byte can change unseen, not even one of the zip's own tables. `SHA256SUMS` lists the
digest of every other member, for `sha256sum -c` and to name the member that was altered.
"""

import hashlib
import os
import re
from pathlib import Path
from typing import IO, Final

from tips.config.names import Name
from tips.records import Record, RecordError

FORMAT: Final = 1
STUDY: Final = "study.json"
SUMS: Final = "SHA256SUMS"
CRATE: Final = "ro-crate-metadata.json"
MARK: Final = re.compile(rb"tips study archive, format ([0-9]{1,6}), sha256 ([0-9a-f]{64})")
DIGITS: Final = 64  # of the seal, at the very end of the file
CHUNK: Final = 1 << 20  # bytes that are read at once
_LINE: Final = re.compile(r"([0-9a-f]{64})  (.+)")


class StudyFile(Record):
    """What `study.json` says of the study that an archive holds."""

    format: int
    scale: Name  # the file of experiments/scales
    dataset: Name
    weights: bool  # whether the archive holds the trained weights


def comment(seal: str = "0" * DIGITS) -> bytes:
    """Gives the comment of an archive with this seal."""
    return f"tips study archive, format {FORMAT}, sha256 {seal}".encode()


def seal_of(path: Path) -> str:
    """Computes the sha256 of a file whose last 64 bytes are taken as zeros of text."""
    found = hashlib.sha256()
    left = path.stat().st_size - DIGITS
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            found.update(chunk)
            left -= len(chunk)
    found.update(b"0" * DIGITS)
    return found.hexdigest()


def is_archive(path: Path) -> bool:
    """Tells by its last bytes whether a file is a study archive, of whatever format."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * len(comment())))
        return re.search(MARK.pattern + rb"\Z", file.read()) is not None


def sums(digests: dict[str, str]) -> str:
    """Writes the digests of members in the form of `sha256sum`."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))


def read_sums(file: IO[bytes], most: int) -> dict[str, str]:
    """Reads the digests of members, by name.

    Args:
        file: the opened list.
        most: the largest number of bytes.

    Raises:
        RecordError: if it is no such list, or if it is longer.
    """
    text = file.read(most + 1)
    lines = text.decode("utf-8", "replace").removesuffix("\n").split("\n")
    found = [one for one in map(_LINE.fullmatch, lines) if one is not None]
    named = {one[2]: one[1] for one in found}
    if len(text) > most or len(named) != len(lines):
        raise RecordError(f"{SUMS}: is no list of digests as sha256sum writes it")
    return named
