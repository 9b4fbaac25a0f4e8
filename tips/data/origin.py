"""Tells whether results belong to a dataset: two folders of one name would share them."""

from collections.abc import Sequence
from pathlib import Path

from tips.provenance import file_digest
from tips.records import RecordError, read_object


def check_origin(manifest: Path, root: Path, labels: Sequence[Path]) -> None:
    """Refuses a dataset whose results would write over those of another one.

    Results are named after the dataset's folder. A dataset that was moved or mended keeps its
    results, because at least one file of labels is the same; another dataset has none of them.

    Args:
        manifest: the manifest of the results, with the sha256 of every file; it may be missing.
        root: the dataset's folder.
        labels: its files of labels.

    Raises:
        RecordError: if the results are another dataset's.
    """
    if not (manifest.is_file() and labels):
        return
    noted = read_object(manifest).get("files")
    known = noted if isinstance(noted, dict) else {}
    if not any(
        known.get(file.relative_to(root).as_posix()) == file_digest(file) for file in labels
    ):
        raise RecordError(
            f"{manifest}: these results were made from another dataset than {root}, and its own "
            "would write over them; rename one of the folders, or give the scale a `dataset.name`"
        )
