"""Opens a study archive, checked whole: a stranger's file that is altered or unsafe is refused.

Everything is judged before anything is written, and is written into a temporary folder only.
"""

import errno
import hashlib
import os
import stat
import struct
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tips.archive import form
from tips.archive.form import StudyFile
from tips.config import ConfigError
from tips.data.archives import check_space
from tips.data.members import judge_name
from tips.progress import track
from tips.records import RecordError, read, regular
from tips.safe_text import one_line

MOST: Final = 100_000  # members; a study of a hundred trainings has about two thousand
LARGEST: Final = 1 << 37  # bytes of all members; the weights of the paper's networks take 40 GB
LONGEST: Final = 1 << 25  # bytes of the list of digests
AGAIN: Final = "copy or download it again"
KINDS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGE: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, ValueError, ArithmeticError, LookupError),
    *(struct.error, NotImplementedError),
)


@contextmanager
def unpacked(path: Path) -> Iterator[tuple[Path, StudyFile]]:
    """Unpacks an archive into a temporary folder, which is removed at the end.

    Args:
        path: a file that `tips archive` wrote.

    Raises:
        RecordError: if it is none, truncated, altered or unsafe; the message names what differs.
    """
    with tempfile.TemporaryDirectory(prefix="tips-") as name:
        folder = Path(name).resolve()
        _unpack(path, folder)
        try:
            yield folder, _study(path, folder)
        except (ConfigError, RecordError) as error:
            if f"{folder}/" not in str(error):
                raise
            # The temporary folder means nothing to the reader, and is gone.
            raise type(error)(str(error).replace(f"{folder}/", f"{path}/")) from error


def _study(path: Path, folder: Path) -> StudyFile:
    try:
        found = read(StudyFile, folder / form.STUDY)
    except RecordError as error:
        reason = str(error).replace(f"{folder}/", "")
        raise RecordError(f"{path}: {reason.partition('; delete')[0]}; {AGAIN}") from error
    _judge_format(path, found.format)
    return found


def _unpack(path: Path, folder: Path) -> None:
    regular(path, "give the archive of a study")
    if not form.is_archive(path):
        raise RecordError(
            f"{path}: does not end as an archive of `tips archive` does: it is truncated, altered "
            f"or another file; {AGAIN}"
        )
    with _naming_damage(f"{path}: truncated or altered"), zipfile.ZipFile(path) as archive:
        _read(archive, path, folder)


@contextmanager
def _naming_damage(what: str) -> Iterator[None]:
    """Turns what the reader of zips raises on damage, which depends on its place, into one line."""
    try:
        yield
    except RecordError:
        raise
    except (*_DAMAGE, OSError) as error:
        # A damaged place in the file is none that can be gone to.
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise
        raise RecordError(f"{what} ({one_line(str(error), 200)}); {AGAIN}") from error


def _read(archive: zipfile.ZipFile, path: Path, folder: Path) -> None:
    mark = form.MARK.fullmatch(archive.comment)
    if mark is None:
        raise RecordError(f"{path}: its mark is altered; {AGAIN}")
    _judge_format(path, int(mark[1]))
    found = {member.filename: member for member in archive.infolist()}
    _judge(archive, path)
    if form.SUMS not in found:
        raise RecordError(f"{path}: member {form.SUMS} is missing; {AGAIN}")
    with archive.open(form.SUMS) as file:
        wanted = form.read_sums(file, LONGEST)
    missing, extra = wanted.keys() - found.keys(), found.keys() - wanted.keys() - {form.SUMS}
    for word, names in (("missing", missing), ("not listed in SHA256SUMS", extra)):
        if names:
            raise RecordError(f"{path}: member {one_line(min(names), 200)} is {word}; {AGAIN}")
    check_space(folder, sum(member.file_size for member in found.values()))
    for name, digest in track(sorted(wanted.items()), f"checking {path.name}"):
        altered = f"{path}: member {name} is altered"
        with _naming_damage(altered):
            written = _extracted(archive, found[name], folder)
        if written != digest:
            raise RecordError(f"{altered}: its sha256 is not the one in {form.SUMS}; {AGAIN}")
    _extracted(archive, found[form.SUMS], folder)
    if form.seal_of(path).encode() != mark[2]:
        raise RecordError(
            f"{path}: altered between its members or in its list of digests: the seal at its end "
            f"is of other bytes; {AGAIN}"
        )


def _judge_format(path: Path, found: int) -> None:
    if found != form.FORMAT:
        raise RecordError(
            f"{path}: has format {found}, and this version reads format {form.FORMAT}; take the "
            "version that wrote it"
        )


def _judge(archive: zipfile.ZipFile, path: Path) -> None:
    """Judges what the members are said to be, before any of them is read."""
    members = archive.infolist()
    if len(members) > MOST:
        raise RecordError(f"{path}: {len(members)} members; an archive has at most {MOST}")
    size = sum(member.file_size for member in members)
    if size > LARGEST:
        raise RecordError(f"{path}: unpacks to {size} bytes; an archive has at most {LARGEST}")
    taken: set[str] = set()
    for member in members:
        name, kind = member.filename, stat.S_IFMT(member.external_attr >> 16)
        try:
            judge_name(name)
        except tarfile.FilterError as error:
            raise RecordError(f"{path}: unsafe member: {error}") from error
        shown = one_line(name, 200)
        if not name.isprintable() or "\\" in name or name != os.path.normpath(name):
            raise RecordError(f"{path}: unsafe member: {shown} is no plain name of a file")
        if kind not in (0, stat.S_IFREG) or member.is_dir():
            raise RecordError(f"{path}: unsafe member: {shown} is a link, a folder or a device")
        if member.flag_bits & 1 or member.compress_type not in KINDS:
            raise RecordError(f"{path}: member {shown} is encrypted or packed in another way")
        if name.casefold() in taken:  # some disks take two names for one
            raise RecordError(f"{path}: member {shown} is there twice")
        taken.add(name.casefold())
    _judge_folders(path, taken)


def _judge_folders(path: Path, names: set[str]) -> None:
    """Refuses a member that is a file where another one needs a folder."""
    for name in names:
        above = name.split("/")[:-1]
        for count in range(1, len(above) + 1):
            if "/".join(above[:count]) in names:
                raise RecordError(f"{path}: unsafe member: {one_line(name, 200)} lies in a file")


def _extracted(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> str:
    """Writes a member, and gives its sha256."""
    target = folder / member.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with archive.open(member) as source, target.open("xb") as file:
        while chunk := source.read(form.CHUNK):
            found.update(chunk)
            file.write(chunk)
    return found.hexdigest()
