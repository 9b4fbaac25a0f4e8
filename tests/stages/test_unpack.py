"""What becomes of a published set's archives: absent, damaged, half unpacked, complete."""

import errno
import os
import shutil
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import miniature
import pytest
from real_sets import Set

from tips.data import archives
from tips.data.archives import ArchiveError
from tips.stages import unpack

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
Make = Callable[[str], Set]


def test_nothing_is_extracted_twice(put_set: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    given = put_set("paper-posetrack18")
    given.make()
    before = {p: p.stat().st_mtime_ns for p in (given.root / "unpacked").rglob("*")}

    def never(*_: object, **__: object) -> None:
        raise AssertionError("an archive was opened")

    monkeypatch.setattr(tarfile, "open", never)
    unpack.run(given.scale, str(given.root))
    for part in given.root.glob("posetrack18_*"):
        part.unlink()
    unpack.run(given.scale, str(given.root))
    assert {p: p.stat().st_mtime_ns for p in (given.root / "unpacked").rglob("*")} == before


def test_what_is_unpacked_by_hand_is_taken(put_set: Make) -> None:
    given = put_set("paper-posetrack18")
    unpack.run(given.scale, str(given.root))
    for file in given.root.glob("posetrack18_*"):
        file.unlink()
    (given.root / "unpacked/images/images").rename(given.root / "images")
    (given.root / "unpacked/labels/posetrack_data/annotations").rename(given.root / "annotations")
    shutil.rmtree(given.root / "unpacked")
    given.make()
    assert given.split("val").sequences[0].frames[0].file.startswith("images/val/")
    assert given.manifest["counts"]["val"]["people"] == 1


def test_an_interrupted_unpacking_starts_over(
    put_set: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = put_set("paper-posetrack18")
    rename = Path.replace

    def killed(path: Path, target: Path) -> Path:
        if path.name == ".images.partial":
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            unpack.run(given.scale, str(given.root))
    rest = given.root / "unpacked/.images.partial"
    assert not rest.exists()
    rest.mkdir()  # as a SIGKILL leaves it
    (rest / "half").write_text("of a file")
    assert not given.paths.unpacked.exists()
    given.make()
    assert not rest.exists()
    assert not list(given.root.rglob("half"))
    assert given.manifest["counts"]["train"]["frames"] == 6


def test_absent_archives_are_asked_for_in_one_line(put_set: Make) -> None:
    given = put_set("paper-posetrack21")
    for file in given.root.iterdir():
        file.unlink()
    with pytest.raises(ArchiveError) as refused:
        unpack.run(given.scale, str(given.root))
    message = str(refused.value)
    assert "\n" not in message
    for part in (
        "posetrack18_images.tar.aa ... posetrack18_images.tar.ar (18 files)",
        "posetrack21_annotations.zip missing",
        "posetrack21@googlegroups.com",
        "POSETRACK21_TOKEN",
        f"into {given.root};",
        "posetrack_data/{train,val}/*.json",
        "it checks that",
    ):
        assert part in message


def test_one_absent_part_is_named(put_set: Make) -> None:
    given = put_set("paper-posetrack17")
    (given.root / "posetrack_data_images.tar.batch03").unlink()
    with pytest.raises(ArchiveError, match=r"posetrack_data_images\.tar\.batch03 missing; all 8"):
        unpack.run(given.scale, str(given.root))


def cut(path: Path, keep: float = 0.6) -> None:
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])


@pytest.mark.parametrize(
    ("scale", "file"),
    [
        ("paper-posetrack18", "posetrack18_images.tar.ae"),
        ("paper-posetrack18", "posetrack18_images.tar.ar"),
        ("paper-posetrack18", "posetrack18_v0.45_public_labels.tar.gz"),
        ("paper-posetrack17", "posetrack_v0.75_labels.tar"),
        ("paper-posetrack21", "posetrack21_annotations.zip"),
    ],
)
def test_a_truncated_archive_is_one_line(put_set: Make, scale: str, file: str) -> None:
    given = put_set(scale)
    cut(given.root / file)
    with pytest.raises(
        ArchiveError, match=r"truncated or damaged .*; copy or download it again"
    ) as refused:
        unpack.run(given.scale, str(given.root))
    assert file.removesuffix(".ae") in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not given.paths.unpacked.exists()


def test_a_wrong_checksum_is_one_line(put_set: Make) -> None:
    given = put_set("paper-jhmdb-1")
    with (given.root / "puppet_mask.zip").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ArchiveError, match=r"puppet_mask\.zip: MD5 \w{32}, published is \w{32}"):
        unpack.run(given.scale, str(given.root))
    assert not (given.root / "unpacked/puppet_mask").exists()


@pytest.mark.parametrize("scale", list(miniature.MAKERS))
def test_a_full_disk_is_noticed_before_unpacking(
    put_set: Make, monkeypatch: pytest.MonkeyPatch, scale: str
) -> None:
    given = put_set(scale)
    usage = shutil.disk_usage(given.root)._replace(free=archives.SPARE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ArchiveError, match=r"unpacking needs 0\.\d GB, 0\.\d GB are free"):
        unpack.run(given.scale, str(given.root))
    assert not [path for path in (given.root / "unpacked").rglob("*") if path.is_file()]


@pytest.mark.parametrize("token", ["", "another"])
def test_posetrack21_needs_its_token(
    put_set: Make, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    given = put_set("paper-posetrack21")
    monkeypatch.setenv("POSETRACK21_TOKEN", token)
    with pytest.raises(ArchiveError, match="POSETRACK21_TOKEN") as refused:
        unpack.run(given.scale, str(given.root))
    assert "\n" not in str(refused.value)
    file = given.root.parent / "token"
    file.write_text(f"{miniature.TOKEN}\n")
    monkeypatch.setenv("POSETRACK21_TOKEN", "")
    monkeypatch.setenv("POSETRACK21_TOKEN_FILE", str(file))
    given.make()
    kept = [p for p in given.paths.data.rglob("*") if p.is_file()]
    kept += [p for p in given.root.rglob("*.json") if p.is_file()]
    assert not [p for p in kept if miniature.TOKEN in p.read_text()]


class Ranges(SimpleHTTPRequestHandler):
    """Serves the archives as JHMDB's server does, and breaks off the first transfer."""

    broken: ClassVar[list[str]] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        data = Path(self.translate_path(self.path)).read_bytes()
        wanted = self.headers.get("Range")
        type(self).asked.append(f"{Path(self.path).name} {wanted or ''}".strip())
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        whole = self.path in type(self).broken
        type(self).broken.append(self.path)
        self.wfile.write(data[start:] if whole else data[start : len(data) // 2])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    Ranges.broken, Ranges.asked = [], []
    folder = tmp_path / "served"
    folder.mkdir()
    served = ThreadingHTTPServer(("127.0.0.1", 0), partial(Ranges, directory=str(folder)))
    thread = threading.Thread(target=served.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{served.server_address[1]}"
    served.shutdown()
    thread.join()
    served.server_close()


def test_jhmdb_is_downloaded_and_a_broken_transfer_goes_on(
    put_set: Make, monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
) -> None:
    given = put_set("paper-jhmdb-1")
    miniature.own_sums(monkeypatch, given.root, server)
    half = given.root / "sub_splits.zip"
    for path in given.root.iterdir():
        shutil.copy(path, tmp_path / "served")
    size = half.stat().st_size
    for path in given.root.iterdir():
        path.unlink()
    given.make()
    assert given.manifest["counts"]["val"]["sequences"] == 2
    assert f"sub_splits.zip bytes={size // 2}-" in Ranges.asked
    assert not list(given.root.glob("*.part"))
    asked = len(Ranges.asked)
    unpack.run("paper-jhmdb-2", str(given.root))  # the same archives
    assert len(Ranges.asked) == asked


def test_without_a_connection_the_remedy_is_one_line(
    put_set: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = put_set("paper-jhmdb-1")
    miniature.own_sums(monkeypatch, given.root, "http://127.0.0.1:9")
    (given.root / "Rename_Images.tar.gz").unlink()
    with pytest.raises(
        ArchiveError, match=r"cannot download .*; run again .* or put the file into"
    ):
        unpack.run(given.scale, str(given.root))


def test_a_scale_without_archives_has_nothing_to_unpack(put_set: Make) -> None:
    given = put_set("paper-posetrack18")
    with pytest.raises(ValueError, match=r"dataset\.release is null"):
        unpack.run("paper", str(given.root))


@pytest.mark.slow
def test_the_command_ends_with_code_2_and_one_line(tmp_path: Path) -> None:
    shutil.copytree(EXPERIMENTS, tmp_path / "experiments")
    command = [sys.executable, "-m", "tips", "stage", "unpack", "--scale", "paper-posetrack17"]
    environment = os.environ | {"PYTHONPATH": str(EXPERIMENTS.parent)}
    done = subprocess.run(
        [*command, "--root", str(tmp_path)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: PoseTrack17 is not complete in ")
    assert len(done.stderr.splitlines()) == 1


def test_a_disk_that_fills_up_all_the_same_keeps_nothing(
    put_set: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = put_set("paper-posetrack18")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractall", full)
        with pytest.raises(OSError, match="No space left"):
            unpack.run(given.scale, str(given.root))
    assert not given.paths.unpacked.exists()
    given.make()
