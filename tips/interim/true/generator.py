"""The renderer's true in-between frames, an upper bound that only the embedded dataset has."""

from pathlib import Path

from tips.ops.image import NumberedImages
from tips.records import RecordError


def true_frames(root: Path, split: str) -> NumberedImages:
    """Opens the true in-between frames of a split; nothing generates them, they are only read.

    Args:
        root: the dataset's folder; the frames are between/{split}/{sequence}/%06d.jpg, numbered
            like the left neighbour.
        split: `train` or `val`.

    Returns:
        A store of (H, W, 3) RGB frames.

    Raises:
        RecordError: if the dataset has none.
    """
    folder = root / "between" / split
    if not folder.is_dir():
        raise RecordError(
            f"{folder}: no such folder; interim 'true' needs rendered in-between frames, which "
            "only the embedded dataset has: use 'flow' or 'average'"
        )
    return NumberedImages(folder)


def has_true_frames(root: Path, split: str) -> bool:
    """Tells whether a split has true in-between frames."""
    return (root / "between" / split).is_dir()
