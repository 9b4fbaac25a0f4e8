"""Each real dataset, from the archives a person has to annotations and manifest."""

import errno
import json
import logging
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
from typing import Any, ClassVar, NamedTuple

import miniature
import numpy as np
import pytest

from tips import records, skeleton
from tips.config import load_study
from tips.data import archives
from tips.data.archives import ArchiveError
from tips.paths import Paths, study_paths
from tips.provenance import file_digest
from tips.records import Annotations, Detections, RecordError
from tips.stages import prepare, unpack

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


class Set(NamedTuple):
    scale: str
    root: Path
    paths: Paths

    def make(self) -> None:
        for stage in (unpack, prepare):
            stage.run(self.scale, str(self.root))

    def split(self, name: str) -> Annotations:
        return records.read(Annotations, self.paths.annotations(name))

    @property
    def manifest(self) -> dict[str, Any]:
        return dict(json.loads(self.paths.manifest.read_text()))


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Set]:
    """Puts a miniature's archives into a folder, under their real names."""
    shutil.copytree(EXPERIMENTS, tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSETRACK21_TOKEN", miniature.TOKEN)
    root = tmp_path / "archives"
    root.mkdir()

    def put(scale: str) -> Set:
        miniature.MAKERS[scale](root)
        if scale.startswith("paper-jhmdb"):
            miniature.own_sums(monkeypatch, root)
        study = load_study(scale, Path("experiments"), str(root))
        return Set(scale, root, study_paths(study.scale))

    return put


@pytest.mark.parametrize(
    ("scale", "train", "val"),
    [
        ("paper-posetrack17", (1, 3, 1, 1, 15), (1, 3, 1, 2, 16)),
        ("paper-posetrack18", (2, 6, 2, 2, 30), (1, 3, 1, 1, 15)),
        ("paper-posetrack21", (2, 6, 2, 4, 30), (1, 3, 1, 2, 15)),
        ("paper-jhmdb-1", (1, 4, 3, 3, 45), (2, 8, 4, 4, 60)),
    ],
)
def test_from_archives_to_annotations(
    make: Callable[[str], Set],
    caplog: pytest.LogCaptureFixture,
    scale: str,
    train: tuple[int, ...],
    val: tuple[int, ...],
) -> None:
    given = make(scale)
    with caplog.at_level(logging.WARNING):
        given.make()
    manifest = given.manifest
    names = ("sequences", "frames", "labelled_frames", "people", "joints")
    assert manifest["counts"]["train"] == dict(zip(names, train, strict=True))
    assert manifest["counts"]["val"] == dict(zip(names, val, strict=True))
    assert manifest["licence"]
    for name, digest in manifest["files"].items():
        assert digest == file_digest(given.root / name)
    pictures = [name for name in manifest["files"] if name.endswith((".jpg", ".png"))]
    assert len(pictures) == train[1] + val[1]
    # A miniature lacks most of the set: said, noted, and no reason to stop.
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == len(manifest["differences"]) > 0
    for line, row in zip(said, manifest["differences"], strict=True):
        assert f"expected are {row['expected']}" in line
        assert f"found {row['found']}" in line


def test_jhmdb_says_how_many_of_the_316_clips_there_are(make: Callable[[str], Set]) -> None:
    given = make("paper-jhmdb-1")
    given.make()
    assert given.manifest["differences"][0] == {
        **{"split": "all", "what": "sequences", "expected": 316, "found": 3},
        "source": "sub-JHMDB's clips, each once",
    }


def test_posetrack17_goes_by_the_leading_number(make: Callable[[str], Set]) -> None:
    given = make("paper-posetrack17")
    given.make()
    (clip,) = given.split("val").sequences
    assert [Path(frame.file).name for frame in clip.frames] == miniature.NAMES_17
    assert [frame.labelled for frame in clip.frames] == [False, True, False]
    whole, one_joint = clip.frames[1].people
    assert whole.joints[14] == (24, 26)
    assert whole.head == one_joint.head == (10, 10, 6, 6)
    assert sum(point is not None for point in one_joint.joints) == 1
    assert clip.frames[1].ignore == (((0, 0), (4, 0), (4, 4)),)


def test_posetrack21_keeps_box_only_people_out_of_training(make: Callable[[str], Set]) -> None:
    given = make("paper-posetrack21")
    given.make()
    (clip,) = given.split("val").sequences
    assert [frame.labelled for frame in clip.frames] == [False, True, False]
    assert clip.frames[0].people[0].joints == (None,) * skeleton.COUNT
    boxes = records.read(Detections, given.paths.boxes("gt")).boxes
    assert [box.track for box in boxes] == [0]


def test_jhmdb_counts_from_zero_and_boxes_the_puppet(make: Callable[[str], Set]) -> None:
    given = make("paper-jhmdb-1")
    given.make()
    clips = {clip.name: clip for s in ("train", "val") for clip in given.split(s).sequences}
    assert set(clips) == {"Frisbee_catch", "Ball_@_7_catch", "Golf_1"}
    assert [frame.labelled for frame in clips["Golf_1"].frames] == [True, False, False, False]
    (person,) = clips["Frisbee_catch"].frames[2].people
    assert person.box == (20, 10, 16, 21)
    np.testing.assert_array_equal(person.points, np.arange(30.0).reshape(15, 2) + 12)
    assert clips["Golf_1"].motion == "golf"


def test_nothing_is_extracted_twice(
    make: Callable[[str], Set], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make("paper-posetrack18")
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


def test_what_is_unpacked_by_hand_is_taken(make: Callable[[str], Set]) -> None:
    given = make("paper-posetrack18")
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
    make: Callable[[str], Set], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make("paper-posetrack18")
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
    (rest / "half").write_text("of a file")
    assert not given.paths.unpacked.exists()
    given.make()
    assert not rest.exists()
    assert not list(given.root.rglob("half"))
    assert given.manifest["counts"]["train"]["frames"] == 6


def test_absent_archives_are_asked_for_in_one_line(make: Callable[[str], Set]) -> None:
    given = make("paper-posetrack21")
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


def test_one_absent_part_is_named(make: Callable[[str], Set]) -> None:
    given = make("paper-posetrack17")
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
def test_a_truncated_archive_is_one_line(make: Callable[[str], Set], scale: str, file: str) -> None:
    given = make(scale)
    cut(given.root / file)
    with pytest.raises(
        ArchiveError, match=r"truncated or damaged .*; copy or download it again"
    ) as refused:
        unpack.run(given.scale, str(given.root))
    assert file.removesuffix(".ae") in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not given.paths.unpacked.exists()


def test_a_wrong_checksum_is_one_line(make: Callable[[str], Set]) -> None:
    given = make("paper-jhmdb-1")
    with (given.root / "puppet_mask.zip").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(ArchiveError, match=r"puppet_mask\.zip: MD5 \w{32}, published is \w{32}"):
        unpack.run(given.scale, str(given.root))
    assert not (given.root / "unpacked/puppet_mask").exists()


@pytest.mark.parametrize("scale", list(miniature.MAKERS))
def test_a_full_disk_is_noticed_before_unpacking(
    make: Callable[[str], Set], monkeypatch: pytest.MonkeyPatch, scale: str
) -> None:
    given = make(scale)
    usage = shutil.disk_usage(given.root)._replace(free=archives.SPARE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ArchiveError, match=r"unpacking needs 0\.\d GB, 0\.\d GB are free"):
        unpack.run(given.scale, str(given.root))
    assert not [path for path in (given.root / "unpacked").rglob("*") if path.is_file()]


@pytest.mark.parametrize("token", ["", "another"])
def test_posetrack21_needs_its_token(
    make: Callable[[str], Set], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    given = make("paper-posetrack21")
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


def test_a_malformed_record_names_file_and_record(make: Callable[[str], Set]) -> None:
    given = make("paper-posetrack18")
    raw = miniature.labels_18("annotations", lambda raw: raw["annotations"][0].pop("track_id"))
    for name, content in raw.items():
        path = given.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    unpack.run(given.scale, str(given.root))
    with pytest.raises(RecordError, match=r"\.json: annotations\.0\.track_id: Field required"):
        prepare.run(given.scale, str(given.root))
    assert not given.paths.manifest.exists()


def test_a_frame_that_is_missing_is_named(make: Callable[[str], Set]) -> None:
    given = make("paper-posetrack18")
    unpack.run(given.scale, str(given.root))
    gone = next(given.root.glob("unpacked/images/images/train/*/000002.jpg"))
    gone.unlink()
    with pytest.raises(RecordError, match=f"{gone}: no such file"):
        prepare.run(given.scale, str(given.root))


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
    make: Callable[[str], Set], monkeypatch: pytest.MonkeyPatch, server: str, tmp_path: Path
) -> None:
    given = make("paper-jhmdb-1")
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
    make: Callable[[str], Set], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make("paper-jhmdb-1")
    miniature.own_sums(monkeypatch, given.root, "http://127.0.0.1:9")
    (given.root / "Rename_Images.tar.gz").unlink()
    with pytest.raises(
        ArchiveError, match=r"cannot download .*; run again .* or put the file into"
    ):
        unpack.run(given.scale, str(given.root))


def test_a_scale_without_archives_has_nothing_to_unpack(make: Callable[[str], Set]) -> None:
    given = make("paper-posetrack18")
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
    make: Callable[[str], Set], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = make("paper-posetrack18")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractall", full)
        with pytest.raises(OSError, match="No space left"):
            unpack.run(given.scale, str(given.root))
    assert not given.paths.unpacked.exists()
    given.make()
