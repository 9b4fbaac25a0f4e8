"""Unpacks the archives of a dataset once, checked, into a folder that appears only when complete.

Archives are tar, tar.gz or zip files; a zip may have a password. A tar file may come in parts
(`.aa`, `.ab`, ... or `.batch00`, ...), whose bytes follow one another.
"""

import errno
import gzip
import hashlib
import io
import lzma
import os
import shutil
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from tips.data import layout, members
from tips.records import RecordError, content, read_object, write_json
from tips.safe_text import one_line

BLOCK: Final = 512  # bytes of a tar file's block
CHUNK: Final = 1 << 20  # bytes that are read at once
SPARE: Final = 1 << 28  # bytes of the disk that must stay free
# One member is a file where another needs a folder, or has a name that no file can have.
_IN_THE_WAY: Final = (
    *(errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY),
    *(errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP),
)
# What the readers of archives raise on damaged files; the type depends on the place of the damage.
_DAMAGE: Final = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, gzip.BadGzipFile),
    *(EOFError, ValueError, ArithmeticError, LookupError, struct.error),
)


class ArchiveError(ValueError):
    """An archive that is missing or unusable; the message is one line that names the remedy."""


class Bundle(NamedTuple):
    """Archives that are unpacked together, under their published names."""

    name: str  # name of the folder that they are unpacked into
    files: tuple[str, ...]  # one archive, or its parts in order
    holds: str  # pattern of files that show that a folder holds the unpacked bundle already
    md5: str = ""  # digest of the file, if there is only one
    url: str = ""  # address that it may be downloaded from
    password: str = ""  # environment variable that holds the password


def present(bundle: Bundle, root: Path) -> list[Path]:
    """Lists the bundle's archives in a folder: all of them, or none.

    Raises:
        ArchiveError: if some parts are there and others are not.
    """
    files = [root / name for name in bundle.files]
    missing = [path.name for path in files if not path.is_file()]
    if missing and len(missing) < len(files):
        raise ArchiveError(
            f"{root}: {', '.join(missing)} missing; all {len(files)} parts are needed, the others "
            "are there"
        )
    return [] if missing else files


def unpack(bundle: Bundle, files: Sequence[Path], folder: Path) -> dict[str, Any]:
    """Unpacks a bundle into folder/{name} unless that is complete.

    Args:
        bundle: what to unpack.
        files: its archives, in order; empty if only the unpacked folder is left.
        folder: holds {name}/ and {name}.json, which is written last and names the archives.

    Returns:
        The content of {name}.json.

    Raises:
        ArchiveError: if a checksum is wrong, a file is damaged, space is short, a password is
            missing or wrong, or a member is unsafe. What was unpacked before is still there.
    """
    marker, target = folder / f"{bundle.name}.json", folder / bundle.name
    source = {path.name: path.stat().st_size for path in files}
    if marker.is_file() and target.is_dir():
        noted = read_object(marker)
        if not source or noted.get("archives") == source:
            return noted
    if not files:
        raise ArchiveError(f"{target}: is not there any more; delete {marker} and run again")
    for path in files:
        if not path.stat().st_size:
            raise ArchiveError(f"{path}: is empty; copy or download it again")
    if bundle.md5:
        check_md5(files[0], bundle.md5)
    partial = folder / f".{bundle.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        with _refusing_damage(files):
            if files[0].suffix == ".zip":
                _unzip(bundle, files[0], partial)
            else:
                _untar(files, partial)
        if layout.find(partial, bundle.holds) is None:
            raise ArchiveError(
                f"{files[0]}: holds no {bundle.holds}, so it is another archive than the published "
                "one; copy or download it again"
            )
        # Until here an earlier content stays; from here on nothing is wrong with the new one.
        marker.unlink(missing_ok=True)
        shutil.rmtree(target, ignore_errors=True)
        partial.replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    record = {"archives": source, "files": sum(path.is_file() for path in target.rglob("*"))}
    write_json(record, marker)
    return record


def check_md5(path: Path, expected: str) -> None:
    """Compares a file with its published MD5. Raises ArchiveError if they differ."""
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "md5").hexdigest()
    if found != expected.lower():
        raise ArchiveError(
            f"{path}: MD5 {found}, published is {expected.lower()}: damaged or another version; "
            f"delete it and run again, or, if you trust it, unpack it by hand into {path.parent}"
        )


def check_space(folder: Path, needed: int) -> None:
    """Raises ArchiveError if unpacking `needed` bytes would fill the disk."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise ArchiveError(
            f"{folder}: unpacking needs {(needed + SPARE) / 1e9:.1f} GB, {free / 1e9:.1f} GB are "
            "free; free some space, or keep archives and data on a larger disk"
        )


@contextmanager
def _refusing_damage(files: Sequence[Path]) -> Iterator[None]:
    name = str(files[0]) if len(files) == 1 else f"{files[0]} ... {files[-1].name}"
    try:
        yield
    except (ArchiveError, RecordError):
        raise
    except tarfile.FilterError as error:
        raise ArchiveError(
            f"{name}: unsafe member, nothing was kept: {one_line(str(error))}; copy or download it "
            "again"
        ) from error
    except NotImplementedError as error:
        raise ArchiveError(
            f"{name}: cannot be read here ({error}); unpack it by hand into {files[0].parent}"
        ) from error
    except _DAMAGE as error:
        raise _damaged(name, error) from error
    except OSError as error:
        if error.errno is None:  # bz2's, on damage
            raise _damaged(name, error) from error
        if error.errno not in _IN_THE_WAY:
            raise
        raise ArchiveError(
            f"{name}: its members are in each other's way, nothing was kept: "
            f"{one_line(str(error))}; copy or download it again"
        ) from error


def _damaged(name: str, error: Exception) -> ArchiveError:
    reason = one_line(str(error), 200)
    return ArchiveError(f"{name}: truncated or damaged ({reason}); copy or download it again")


def _unzip(bundle: Bundle, path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        found = archive.infolist()
        check_space(folder, sum(member.file_size for member in found))
        for member in found:
            members.judge_name(member.filename)
        locked = any(member.flag_bits & 1 for member in found)
        key = _password(bundle, path) if locked else None
        try:
            archive.extractall(folder, pwd=key)
        except NotImplementedError:  # a RuntimeError too: a method that zipfile lacks
            raise
        except RuntimeError as error:
            raise ArchiveError(
                f"{path}: {error}; mend the password in {bundle.password or 'its archive'}, or "
                f"unpack it by hand into {path.parent}"
            ) from error


def _password(bundle: Bundle, path: Path) -> bytes:
    """Reads a password from the environment, or from a file that the environment names.

    It is kept nowhere.
    """
    value, file = os.environ.get(bundle.password), os.environ.get(f"{bundle.password}_FILE")
    if not value and file and Path(file).is_file():
        value = _password_in(Path(file))
    if not value:
        raise ArchiveError(
            f"{path}: has a password; put it into the environment as {bundle.password}=..., or a "
            f"file that holds it as {bundle.password}_FILE=..., and run again"
        )
    return value.encode(errors="surrogateescape")


def _password_in(path: Path) -> str:
    try:
        return content(path).decode().strip()
    except UnicodeDecodeError:  # whose message would show a part of it
        raise ArchiveError(
            f"{path}: no text in UTF-8; put the password, and nothing else, into this file"
        ) from None


def _untar(files: Sequence[Path], folder: Path) -> None:
    with io.BufferedReader(_Joined(files), CHUNK) as joined:
        packed = joined.peek(2)[:2] == b"\x1f\x8b"
        # gzip has its checksum at the end, so the whole file is read once: that checks it and also
        # tells the unpacked size.
        size = _length(joined) if packed else sum(path.stat().st_size for path in files)
        check_space(folder, size)
        joined.seek(0)
        if packed:
            with tarfile.open(fileobj=joined, mode="r|gz", tarinfo=members.Header) as archive:
                archive.extractall(folder, filter=members.plain)
        else:
            _untar_all(joined, size, folder)


def _length(stream: IO[bytes]) -> int:
    with gzip.GzipFile(fileobj=stream) as unpacked:
        return sum(len(chunk) for chunk in iter(lambda: unpacked.read(CHUNK), b""))


def _untar_all(stream: IO[bytes], size: int, folder: Path) -> None:
    """Unpacks tar files that follow one another, as `tar --ignore-zeros` would.

    tarfile's own option ignore_zeros is not used, because it also skips damaged headers.
    """
    if size % BLOCK:
        raise tarfile.ReadError(f"{size} bytes, no multiple of {BLOCK}")
    position = 0
    while position < size:
        stream.seek(position)
        with tarfile.open(fileobj=stream, mode="r:", tarinfo=members.Header) as archive:
            archive.extractall(folder, filter=members.plain)
            end = archive.offset
        stream.seek(end)
        if stream.read(BLOCK) != bytes(BLOCK) or end == position:
            raise tarfile.ReadError(f"no end of the tar file at byte {end}")
        position = _next_block(stream, end + BLOCK)


def _next_block(stream: IO[bytes], position: int) -> int:
    """Finds the start of the next block that is not all zero, or the end of the stream."""
    while block := stream.read(BLOCK):
        if block.strip(b"\0"):
            return position
        position += len(block)
    return position


class _Joined(io.RawIOBase):
    """Several files, one after the other, read as if they were one."""

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__()
        self.files = list(files)
        self.ends: list[int] = []
        for path in files:
            self.ends.append(path.stat().st_size + (self.ends[-1] if self.ends else 0))
        self.position = 0
        self.current: IO[bytes] | None = None
        self.index = -1

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self.position, os.SEEK_END: self.ends[-1]}[whence]
        self.position = start + offset
        return self.position

    def tell(self) -> int:
        return self.position

    def readinto(self, buffer: Any) -> int:
        index = next((k for k, end in enumerate(self.ends) if self.position < end), None)
        if index is None:
            return 0
        start = self.ends[index - 1] if index else 0
        view = memoryview(buffer)[: self.ends[index] - self.position]
        stream = self._open(index)
        stream.seek(self.position - start)
        count = int(stream.readinto(view))  # type: ignore[attr-defined]
        self.position += count
        return count

    def _open(self, index: int) -> IO[bytes]:
        if self.current is None or self.index != index:
            self.close_current()
            self.current, self.index = self.files[index].open("rb"), index
        return self.current

    def close_current(self) -> None:
        if self.current is not None:
            self.current.close()

    def close(self) -> None:
        self.close_current()
        super().close()
