"""Writes the dataset card of a scale that renders its own data: dataset-card.md."""

from pathlib import Path

from tips.opened import open_study
from tips.records import atomic
from tips.reporting import page
from tips.reporting.dataset_card import sections, title
from tips.tables.sources import Manifest, read_if_present


def run(scale: str = "desk", root: str = "", out: Path | None = None) -> None:
    """Writes the card beside the report, with the data's counts if they were rendered here.

    Args:
        scale: Describes the data of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none; it then renders no data.
        out: Writes the card to this file, not beside the report.

    Raises:
        ConfigError: the scale renders no data.
        RecordError: the manifest is malformed, or tells of other data than the scale's.
    """
    study, paths = open_study(scale, root)
    manifest = read_if_present(Manifest, paths.manifest)
    counts = {} if manifest is None else manifest.counts
    text = page.source(title(study.scale, paths.dataset), sections(study.scale, counts))
    with atomic(out or paths.card) as stream:
        stream.write(text)
