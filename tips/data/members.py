"""Judges what an archive holds, before anything of it is written: plain files in plain folders.

Python's own filter of tar files follows links, and a path that is long enough hides from it where
a link leads (CVE-2025-4517). No published archive needs a link, so none is unpacked.
"""

import tarfile
from pathlib import PurePosixPath
from tarfile import FilterError, TarInfo
from typing import Final

from tips.safe_text import one_line

LONGEST: Final = 1000  # characters of a member's name
LONGEST_PART: Final = 255  # bytes of one file's or folder's name, as file systems have it
DEEPEST: Final = 50  # folders and file of a member's name
_HEADER: Final = 1 << 20  # bytes of a long name, or of other entries that describe a member
_LATEST: Final = 1 << 40  # s; a time that every file system can keep is below
_DESCRIBING: Final = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)


class Header(TarInfo):
    """The header of a member of a tar file."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "Header":
        """Reads a header. What describes a member is read as a whole, so its size is judged here.

        Raises:
            FilterError: if a size is absurd.
        """
        found: Header = super().frombuf(buf, encoding, errors)  # type: ignore[assignment]
        if found.size < 0 or (found.type in _DESCRIBING and found.size > _HEADER):
            raise FilterError(f"{_shown(found.name)} has a header of {found.size} bytes")
        return found


def plain(member: TarInfo, folder: str) -> TarInfo:
    """Lets regular files and folders of a tar file pass; this is a filter of `tarfile`.

    Raises:
        FilterError: if the member is anything else, or if its name is unsafe.
    """
    judge_name(member.name.lstrip("/"))
    if member.issparse() or not (member.type in tarfile.REGULAR_TYPES or member.isdir()):
        raise FilterError(f"{_shown(member.name)} is a link, a device or a sparse file")
    if not 0 <= member.mtime < _LATEST:  # nor is it a number
        member = member.replace(mtime=None, deep=False)  # type: ignore[arg-type]
    return tarfile.data_filter(member, folder)


def judge_name(name: str) -> None:
    r"""Judges the name of a member of an archive; `/` and `\` divide it.

    Raises:
        FilterError: if it leads out of the folder, or is none that a file can have.
    """
    place = PurePosixPath(name[: LONGEST + 1].replace("\\", "/"))
    if place.is_absolute() or ".." in place.parts:
        raise FilterError(f"{_shown(name)} leads out of the folder")
    if "\0" in name or any(
        len(part.encode(errors="surrogatepass")) > LONGEST_PART for part in place.parts
    ):
        raise FilterError(f"{_shown(name)} is no name that a file can have")
    if len(name) > LONGEST or len(place.parts) > DEEPEST:
        raise FilterError(f"{_shown(name)} is too long or lies in too many folders")


def _shown(name: str) -> str:
    return one_line(name, 100)
