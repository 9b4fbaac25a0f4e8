"""Archives that somebody damaged, or made to do harm; complete ones are in tests/stages."""

import gzip
import io
import os
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import miniature
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.data import members
from tips.data.archives import ArchiveError, Bundle, unpack
from tips.records import RecordError

NAME = "annotations/val/a.json"
Edit = Callable[[bytearray, int], None]


def unpacked(folder: Path, content: bytes, name: str = "labels.tar.gz") -> list[str]:
    """Unpacks an archive below a folder, and lists what is there then."""
    (folder / name).write_bytes(content)
    bundle = Bundle("labels", (name,), "annotations/val/*", password="TOKEN")
    unpack(bundle, [folder / name], folder / "unpacked")
    return kept(folder)


def kept(folder: Path) -> list[str]:
    below = folder / "unpacked"
    return sorted(path.relative_to(below).as_posix() for path in below.rglob("*"))


def refused(folder: Path, content: bytes, says: str, name: str = "labels.tar.gz") -> None:
    with pytest.raises((ArchiveError, RecordError), match=says) as error:
        unpacked(folder, content, name)
    assert "\n" not in str(error.value)
    assert not kept(folder)


def member(
    name: str = NAME, data: bytes = b"{}", **attributes: Any
) -> tuple[tarfile.TarInfo, bytes]:
    found = tarfile.TarInfo(name)
    for key, value in attributes.items():
        setattr(found, key, value)
    found.size = len(data) if found.isreg() else 0
    return found, data


def tar(*made: tuple[tarfile.TarInfo, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for found, data in made:
            archive.addfile(found, io.BytesIO(data))
    return stream.getvalue()


def pax(data: bytes = b"{}", **headers: str) -> bytes:
    names = {key.replace("_", "."): value for key, value in headers.items()}
    return tar(member(data=data, pax_headers=names), form=tarfile.PAX_FORMAT)


def escaping(depth: int, part: str) -> bytes:
    """CVE-2025-4517: links make a path that is too long for Python to see where it leads."""
    made, path, letters = [], "", "abcdefghijklmnop"
    for letter in letters:
        made += [member(f"{path}{part}", type=tarfile.DIRTYPE, mode=0o755)]
        made += [member(f"{path}{letter}", type=tarfile.SYMTYPE, linkname=part)]
        path += f"{part}/"
    link = "/".join((*letters, "l" * 254))
    out = f"{link}/{'../' * depth}victim"
    made += [member(link, type=tarfile.SYMTYPE, linkname="../" * len(letters))]
    made += [member("escape", type=tarfile.SYMTYPE, linkname=out)]
    made += [member("flag", type=tarfile.LNKTYPE, linkname="escape/precious")]
    return tar(*made, member("flag"), member("escape/new"), member())


def test_no_path_leads_out_of_the_folder(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / "precious").write_text("as it was")
    for content in (escaping(2, "d" * 247), gzip.compress(escaping(2, "d" * 247))):
        refused(tmp_path, content, "unsafe member, nothing was kept: a is a link")
        assert [path.name for path in victim.iterdir()] == ["precious"]
        assert (victim / "precious").read_text() == "as it was"


ODD: dict[str, dict[str, Any]] = {
    "a symbolic link": {"type": tarfile.SYMTYPE, "linkname": "a.json"},
    "a link to nothing": {"type": tarfile.LNKTYPE, "linkname": "none"},
    "a pipe": {"type": tarfile.FIFOTYPE},
    "a device": {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
    "an unknown kind": {"type": b"Z"},
    "above": {"name": "../x"},
    "a long name": {"name": "x" * 256},
    "a long path": {"name": f"{'x' * 200}/" * 6},
    "many folders": {"name": "x/" * 1500 + "a"},
}


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("packed", [False, True])
def test_files_and_folders_are_unpacked_and_nothing_else(
    tmp_path: Path, odd: str, packed: bool
) -> None:
    content = tar(member(**{"name": "annotations/val/b.json"} | ODD[odd]), member())
    refused(tmp_path, gzip.compress(content) if packed else content, "unsafe member, nothing was")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (pax(GNU_sparse_map="0,2", GNU_sparse_size=str(2**40)), "a link, a device or a sparse"),
        (pax(GNU_sparse_map="0,2", GNU_sparse_size=str(2**62)), "a link, a device or a sparse"),
        (pax(GNU_sparse_map="1,x", GNU_sparse_size="9"), "damaged .*; copy or download it again"),
        (
            pax(b"none\n".ljust(600), GNU_sparse_major="1", GNU_sparse_minor="0"),
            "damaged .*; copy or download it again",
        ),
        (pax(path="annotations/val/a\0b"), r"a\\x00b is no name that a file can have"),
        (pax(size="9" * 30), "damaged .*; copy or download it again"),
        (pax(comment="x" * (1 << 20)), "has a header of 10485.. bytes"),
    ],
)
def test_what_describes_a_member_may_be_damaged(tmp_path: Path, content: bytes, says: str) -> None:
    refused(tmp_path, gzip.compress(content), says)


@pytest.mark.parametrize("time", ["nan", "inf", "-inf", "-1e300", "1e300", str(2**62)])
def test_a_time_that_is_none_is_left_out(tmp_path: Path, time: str) -> None:
    assert f"labels/{NAME}" in unpacked(tmp_path, gzip.compress(pax(mtime=time)))


@given(name=st.text(max_size=30) | st.text("./\\ab", max_size=2000))
def test_a_name_that_passes_stays_below(name: str) -> None:
    try:
        members.judge_name(name)
    except tarfile.FilterError:
        return
    for below in (name, name.replace("\\", "/")):
        assert Path("/r", below).is_relative_to("/r")
        assert ".." not in Path(below).parts
        assert len(name) <= 1000
        assert len(Path(below).parts) <= 50


def zipped(method: int = zipfile.ZIP_STORED, name: str = NAME) -> bytearray:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        archive.writestr(name, b"{}" * 100)
    return bytearray(stream.getvalue())


def central(data: bytearray) -> int:
    return data.index(b"PK\x01\x02")


def flipped(method: int) -> bytearray:
    data = zipped(method)
    first = data.index(b"a.json") + 6
    for place in range(first + 8, first + 20):
        data[place] ^= 0xFF
    return data


def stated(place: int, value: int) -> bytearray:
    """A file whose directory states something else."""
    data = zipped()
    struct.pack_into("<H", data, central(data) + place, value)
    return data


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (flipped(zipfile.ZIP_LZMA), r"zip: truncated or damaged \(.+\); copy or download it"),
        (flipped(zipfile.ZIP_BZIP2), r"zip: truncated or damaged \(.+\); copy or download it"),
        (flipped(zipfile.ZIP_DEFLATED), r"zip: truncated or damaged \(.+\); copy or download it"),
        (
            zipped(name="annotations/val/é").replace("é".encode(), b"\xff\xfe"),
            r"zip: truncated or damaged \(.+\); copy or download it",
        ),
        (stated(6, 99), r"zip: cannot be read here \(.*9\.9\); unpack it by hand into"),
        (stated(10, 97), r"zip: cannot be read here \(.*method.*\); unpack it by hand into"),
        (stated(8, 0x20), r"zip: cannot be read here \(.*patched.*\); unpack it by hand into"),
        (stated(8, 0x41), r"zip: cannot be read here \(strong.*\); unpack it by hand into"),
        (zipped(name="x/" * 400 + "a"), "unsafe member, nothing was kept"),
        (zipped(name="../a"), "unsafe member, nothing was kept"),
        (zipped(name="..\\a"), "unsafe member, nothing was kept"),
    ],
)
def test_a_zip_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, says: str
) -> None:
    monkeypatch.setenv("TOKEN", "a")
    refused(tmp_path, content, says, "labels.zip")


def test_a_password_s_file_may_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = miniature.locked_zip({NAME: b"{}"}, "a")
    file = tmp_path / "token"
    monkeypatch.setenv("TOKEN_FILE", str(file))
    file.write_bytes(b"secret\xff\xfe")
    refused(tmp_path, locked, "token: no text in UTF-8; put the password, and", "labels.zip")
    file.write_bytes(b"\xef\xbb\xbfa\n")
    assert unpacked(tmp_path, locked, "labels.zip")
    monkeypatch.setenv("TOKEN", os.fsdecode(b"\xff"))
    with pytest.raises(ArchiveError, match="mend the password in TOKEN"):
        unpacked(tmp_path, miniature.locked_zip({NAME: b"{}" * 2}, "a"), "labels.zip")


@pytest.mark.parametrize("bad", [b"\x1f\x8bdamaged", b"", tar(member("x")), escaping(2, "d" * 247)])
def test_a_bad_archive_does_not_take_a_good_folder_away(tmp_path: Path, bad: bytes) -> None:
    before = unpacked(tmp_path, gzip.compress(tar(member())))
    marker = (tmp_path / "unpacked/labels.json").read_bytes()
    with pytest.raises(ArchiveError):
        unpacked(tmp_path, bad)
    assert kept(tmp_path) == before
    assert (tmp_path / "unpacked/labels.json").read_bytes() == marker
    replaced = unpacked(tmp_path, gzip.compress(tar(member("annotations/val/b.json", bytes(9999)))))
    assert "labels/annotations/val/b.json" in replaced
    assert f"labels/{NAME}" not in replaced


GOOD = {
    "labels.tar": tar(member(), member("annotations", b"", type=tarfile.DIRTYPE)),
    "labels.zip": bytes(zipped(zipfile.ZIP_LZMA)),
}


@pytest.mark.parametrize("name", GOOD)
@given(data=st.data())
def test_any_damage_is_a_line_and_leaves_nothing(name: str, data: st.DataObject) -> None:
    content = bytearray(GOOD[name])
    places = st.tuples(st.integers(0, min(len(content), 1536) - 1), st.integers(0, 255))
    for place, value in data.draw(st.lists(places, min_size=1, max_size=4)):
        content[place] = value
    if name == "labels.tar":  # a header with a wrong sum is refused before anything else
        header = bytes(content[:148]) + b" " * 8 + bytes(content[156:512])
        content[148:156] = b"%06o\0 " % sum(header)
    with tempfile.TemporaryDirectory() as folder:
        with suppress(ArchiveError):
            unpacked(Path(folder), bytes(content), name)
        assert (Path(folder) / "unpacked/labels").is_dir() == bool(kept(Path(folder)))
