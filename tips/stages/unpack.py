"""Unpacks a published dataset's archives, or says how to get them."""

import logging
from pathlib import Path
from typing import Any

from tips import records
from tips.config import ConfigError
from tips.data import layout
from tips.data.archives import Bundle, present, unpack
from tips.data.download import download
from tips.data.releases import RELEASES, instructions
from tips.opened import open_study

log = logging.getLogger(__name__)
FOLDER = "unpacked"


def run(scale: str = "desk", root: str = "") -> None:
    """Unpacks into ROOT/unpacked what is not there yet; writes unpacked.json last.

    Each archive of the set may be in the folder as published, or unpacked by hand. A missing
    archive is downloaded if its publisher allows that. Otherwise the stage stops and says what to
    request, and where to put it.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Names the folder of the archives or of the unpacked dataset.

    Raises:
        ConfigError: the scale names no published dataset.
        ArchiveError: an archive is missing, damaged, or does not fit the disk.
    """
    opened = open_study(scale, root)
    name, folder = opened.study.scale.dataset.release, opened.paths.root
    if name is None:
        raise ConfigError(f"scale {scale}: dataset.release is null, so there is nothing to unpack")
    release = RELEASES[name]
    files = {bundle: present(bundle, folder) for bundle in release.bundles}
    missing = [
        bundle
        for bundle in release.bundles
        if not (files[bundle] or bundle.url or _by_hand(bundle, folder) or _done(bundle, folder))
    ]
    if missing:
        raise instructions(release, folder, missing)
    found = {bundle.name: _bundle(bundle, files[bundle], folder) for bundle in release.bundles}
    records.write_json({"release": name, "bundles": found}, opened.paths.unpacked)


def _by_hand(bundle: Bundle, root: Path) -> bool:
    """Tells whether the bundle's content is in the folder, but was not put there by this stage."""
    found = layout.find(root, bundle.holds)
    return found is not None and not found.is_relative_to(root / FOLDER)


def _done(bundle: Bundle, root: Path) -> bool:
    return (root / FOLDER / f"{bundle.name}.json").is_file()


def _bundle(bundle: Bundle, files: list[Path], root: Path) -> dict[str, Any]:
    if _by_hand(bundle, root):
        return {"archives": {}, "note": "unpacked by hand"}
    if not files and not _done(bundle, root):
        path = root / bundle.files[0]
        log.info("downloading %s", bundle.url)
        download(bundle.url, path)
        files = [path]
    return unpack(bundle, files, root / FOLDER)
