"""Copies the code, so that jobs which wait in a queue run what their study was started with.

The configuration in experiments/ is read where it is: each run notes the one that it was made with,
and what does not fit the files any more is stale.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tips import provenance
from tips.records import write_json
from tips.temporaries import discard

CODE: Final = ("tips", "csrc", "workflow")
BESIDE: Final = ("requirements.lock", "environment.yml", "LICENSE", "README.md")
COPIES: Final = Path(".snakemake/tips/code")
BUILT: Final = Path("csrc/build")  # compiled kernels, by the digest of their sources
DIGITS: Final = 16


def freeze() -> Path:
    """Copies the code of the project in this folder and gives the folder of the copy.

    The copy of the same code is used again, and those of other code are removed. So no job of an
    earlier start may be in the queue any more.
    """
    files = {name: name.read_bytes() for name in sorted(_files())}
    noted = provenance.checkout()._asdict()
    noted[provenance.CONFIGURATION] = provenance.configuration()
    digest = hashlib.sha256(repr(noted).encode())
    for name, data in files.items():
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    folder = COPIES / digest.hexdigest()[:DIGITS]
    for other in COPIES.glob("*"):
        if other != folder:
            discard(other)
    if not folder.is_dir():
        half = folder.with_name(f".{folder.name}.{os.getpid()}")
        for name, data in files.items():
            (half / name).parent.mkdir(parents=True, exist_ok=True)
            (half / name).write_bytes(data)
        write_json(noted, half / provenance.FROZEN)
        (half / BUILT).symlink_to(BUILT.resolve())
        half.rename(folder)
    BUILT.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def environment(folder: Path) -> dict[str, str]:
    """Gives the variables by which Python takes the package from a copy, wherever it runs."""
    return os.environ | {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}


def _files() -> Iterator[Path]:
    """Lists the files of the code, without what is compiled from it."""
    for top in CODE:
        for at, folders, names in os.walk(top):
            folders[:] = [one for one in folders if one != "__pycache__" and Path(at, one) != BUILT]
            yield from (Path(at, name) for name in names)
    yield from (Path(name) for name in BESIDE if Path(name).is_file())
