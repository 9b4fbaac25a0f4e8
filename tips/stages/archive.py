"""Writes a study without its data into one sealed file, to hand it on."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tips import locks
from tips.archive import crate, form
from tips.archive.form import StudyFile
from tips.archive.holdings import Holdings, describes_network, holdings
from tips.archive.writing import judge_output, write_archive
from tips.config import ConfigError
from tips.opened import EXPERIMENTS, open_study
from tips.progress import track
from tips.records import read_object
from tips.safe_text import visible


def run(out: Path, scale: str = "desk", root: str = "", weights: bool = False) -> None:
    """Writes configuration, runs, tables and report into a zip that `tips verify` reads anywhere.

    The zip has the layout of a project. It holds the sha256 of every file, and metadata for
    catalogues of research data (a Workflow Run RO-Crate). Two archives of the same study are equal
    byte for byte.

    Args:
        out: Writes this zip; an earlier archive is replaced, and no other file.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        weights: Also holds the trained weights, without which `tips merge` takes no run.

    Raises:
        ConfigError: the study has no run yet.
        LockError: the workflow runs, so that files change.
        RecordError: the file cannot be written, or a record of the study is malformed.
    """
    judge_output(out)
    opened = open_study(scale, root)
    with locks.alone(locks.WORKFLOW, "works in this folder"):
        found = holdings(*opened, EXPERIMENTS, weights)
        if not found.runs:
            raise ConfigError(f"{opened.paths.results}: holds no run yet; `make reproduce` first")
        said = StudyFile(
            format=form.FORMAT, scale=scale, dataset=opened.paths.dataset, weights=weights
        )
        write_archive(out, track(_members(said, found), "archiving", len(found.files) + 2))
    print(
        f"{visible(str(out))}: {len(found.runs)} of {found.wanted} runs, {len(found.files)} files, "
        f"{out.stat().st_size / 1e6:.1f} MB, {'with' if weights else 'without'} weights"
    )


def _members(said: StudyFile, found: Holdings) -> Iterator[tuple[str, Path | bytes]]:
    """Yields the members of the archive, in the order of their names."""
    records = {
        run.folder: read_object(Path(run.folder) / "provenance.json")
        for run in found.runs
        if describes_network(run)
    }
    about = crate.metadata(said, found, records, _newest(found))
    yield form.CRATE, _json(about)
    yield form.STUDY, _json(said.model_dump())
    yield from sorted(found.files.items())


def _newest(found: Holdings) -> str:
    """Gives the day on which the newest file of a run was written, in UTC."""
    latest = max(Path(name).stat().st_mtime for run in found.runs for name in run.files)
    return datetime.fromtimestamp(latest, UTC).date().isoformat()


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True) + "\n").encode()
