"""Study archives are opened whole or not at all, and altered or unsafe ones are refused."""

import hashlib
import json
import os
import stat
import subprocess
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tips.archive import form, opening
from tips.archive.opening import unpacked
from tips.archive.writing import judge_output, write_archive
from tips.records import RecordError

SAID = {"format": form.FORMAT, "scale": "desk", "dataset": "embedded", "weights": False}
MEMBERS = {
    "study.json": json.dumps(SAID).encode(),
    "experiments/tips.yaml": b"model: tips\n" * 30,
    "results/runs/tips/seed-0/evidence.npz": bytes(range(256)),
}


def written(path: Path, members: Mapping[str, bytes] = MEMBERS) -> Path:
    write_archive(path, members.items())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(RecordError) as caught, unpacked(path):
        pass
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


def crafted(path: Path, change: Callable[[zipfile.ZipFile, dict[str, str]], Any]) -> Path:
    """An archive that a stranger made with a correct seal, whatever else it holds."""
    with zipfile.ZipFile(path, "w") as archive:
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in MEMBERS.items()}
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
        with pytest.warns() if change is twice else _nothing():
            change(archive, sums)
        if form.SUMS not in archive.namelist():
            archive.writestr(form.SUMS, form.sums(sums))
        archive.comment = archive.comment or form.comment()
    seal = form.seal_of(path).encode()
    path.write_bytes(path.read_bytes()[: -form.DIGITS] + seal)
    return path


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def add(name: str, content: bytes = b"x", attributes: int = 0) -> Callable[..., None]:
    def change(archive: zipfile.ZipFile, sums: dict[str, str]) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = attributes << 16
        archive.writestr(info, content)
        sums[name] = hashlib.sha256(content).hexdigest()

    return change


def twice(archive: zipfile.ZipFile, sums: dict[str, str]) -> None:
    archive.writestr("study.json", MEMBERS["study.json"])


def test_what_was_written_comes_out(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip")
    with unpacked(path) as (folder, said):
        assert said.scale == "desk"
        for name, content in MEMBERS.items():
            assert (folder / name).read_bytes() == content
        checked = subprocess.run(
            ["sha256sum", "--strict", "-c", form.SUMS], cwd=folder, capture_output=True, check=False
        )
        assert checked.returncode == 0, checked.stderr
        assert len(checked.stdout.splitlines()) == len(MEMBERS)
    assert not folder.exists()


def test_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path / "a.zip").read_bytes()
    os.utime(tmp_path / "a.zip", (0, 0))
    assert written(tmp_path / "b.zip").read_bytes() == first


def test_no_byte_can_change_unseen(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.zip").read_bytes()
    path = tmp_path / "a.zip"
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        refusal(path)


def test_the_altered_member_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip")
    whole = path.read_bytes()
    place = whole.index(MEMBERS["results/runs/tips/seed-0/evidence.npz"])
    path.write_bytes(whole[: place + 7] + b"!" + whole[place + 8 :])
    assert "results/runs/tips/seed-0/evidence.npz is altered" in refusal(path)


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "whole.zip").read_bytes()
    path = tmp_path / "a.zip"
    for length in (0, 1, 50, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert "truncated" in refusal(path)


@pytest.mark.parametrize(
    ("name", "attributes", "word"),
    [
        ("../outside", 0, "leads out"),
        ("/etc/outside", 0, "leads out"),
        ("a/../../outside", 0, "leads out"),
        ("..\\outside", 0, "leads out"),
        ("a\\b", 0, "no plain name"),
        ("a//b", 0, "no plain name"),
        ("./a", 0, "no plain name"),
        ("a\nb", 0, "no plain name"),
        ("a/", 0, "plain name"),
        ("link", stat.S_IFLNK | 0o777, "is a link"),
        ("pipe", stat.S_IFIFO | 0o666, "is a link"),
        ("STUDY.json", 0, "there twice"),
        ("study.json/a", 0, "lies in a file"),
        ("a" * 300, 0, "no name"),
    ],
)
def test_an_unsafe_member_is_refused(tmp_path: Path, name: str, attributes: int, word: str) -> None:
    path = crafted(tmp_path / "a.zip", add(name, attributes=attributes))
    assert word in refusal(path)
    assert [one.name for one in tmp_path.iterdir()] == ["a.zip"]


def test_a_member_twice_is_refused(tmp_path: Path) -> None:
    assert "study.json is there twice" in refusal(crafted(tmp_path / "a.zip", twice))


def test_an_extra_and_a_missing_member_are_named(tmp_path: Path) -> None:
    def extra(archive: zipfile.ZipFile, sums: dict[str, str]) -> None:
        archive.writestr("more.txt", b"x")

    def missing(archive: zipfile.ZipFile, sums: dict[str, str]) -> None:
        sums["less.txt"] = "0" * 64

    assert "more.txt is not listed" in refusal(crafted(tmp_path / "a.zip", extra))
    assert "less.txt is missing" in refusal(crafted(tmp_path / "b.zip", missing))


def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.zip", MEMBERS | {"zeros": bytes(1_000_000)})
    monkeypatch.setattr(opening, "LARGEST", 1_000_000)
    monkeypatch.setattr(opening, "_extracted", lambda *_: pytest.fail("was unpacked"))
    assert "unpacks to 1001" in refusal(path)
    monkeypatch.setattr(opening, "MOST", 3)
    assert "5 members" in refusal(path)


def test_a_member_that_lies_about_its_size_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip", MEMBERS | {"zeros": bytes(1_000_000)})
    with zipfile.ZipFile(path) as archive:
        directory = archive.start_dir
    whole = path.read_bytes()
    size = (1_000_000).to_bytes(4, "little")
    assert whole.count(size, directory) == 1
    place = whole.index(size, directory)
    path.write_bytes(whole[:place] + (9).to_bytes(4, "little") + whole[place + 4 :])
    assert "zeros is altered" in refusal(path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    def later(archive: zipfile.ZipFile, sums: dict[str, str]) -> None:
        archive.comment = form.comment().replace(b"format 1", b"format 7")

    assert "format 7" in refusal(crafted(tmp_path / "a.zip", later))
    path = written(tmp_path / "b.zip", MEMBERS | {"study.json": b'{"format": 8}'})
    assert "study.json" in refusal(path)
    said = json.dumps(SAID | {"format": 9}).encode()
    assert "format 9" in refusal(written(tmp_path / "c.zip", MEMBERS | {"study.json": said}))


def test_only_an_archive_is_written_over(tmp_path: Path) -> None:
    path = written(tmp_path / "a.zip")
    judge_output(path)
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as other:
        other.writestr("a", "b")
    for name in ("b.zip", "c.txt"):
        with pytest.raises(RecordError):
            judge_output(tmp_path / name)
    before = (tmp_path / "b.zip").read_bytes()
    with pytest.raises(RecordError):
        written(tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_bytes() == before


def test_a_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_archive(tmp_path / "a.zip", [("a", b"x"), ("b", tmp_path / "absent")])
    assert not list(tmp_path.iterdir())


def test_what_is_wrong_inside_is_told_with_the_archive_and_no_temporary_folder(
    tmp_path: Path,
) -> None:
    path = written(tmp_path / "a.zip")
    with pytest.raises(RecordError) as caught, unpacked(path) as (folder, _):
        raise RecordError(f"{folder}/results/x.json: odd")
    assert str(caught.value) == f"{path}/results/x.json: odd"
