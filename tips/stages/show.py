"""Draws sample windows of a dataset for a person to look at."""

from pathlib import Path

from tips.config import ConfigError
from tips.opened import open_study
from tips.pictures.samples import draw_windows

SPLITS = ("train", "val")


def run(
    scale: str = "desk",
    root: str = "",
    split: str = "val",
    count: int = 4,
    seed: int = 0,
    out: Path | None = None,
) -> None:
    """Draws frames, interim frames and the joints of frame t into windows-*.png; prints the names.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        split: Takes windows of this split, train or val.
        count: Draws this number of windows.
        seed: Chooses which windows are drawn.
        out: Writes into this folder; without it, into `show` below the scale's reports folder.

    Raises:
        ConfigError: an unknown split or scale, no windows, or a negative seed.
        RecordError: the dataset, its packed frames or its interim frames are not there yet.
    """
    if split not in SPLITS:
        raise ConfigError(f"split must be {' or '.join(SPLITS)}; got '{split}'")
    if count < 1:
        raise ConfigError(f"--count must be at least 1; got {count}")
    if seed < 0:
        raise ConfigError(f"--seed must be 0 or more; got {seed}")
    opened = open_study(scale, root)
    folder = out or opened.paths.reports / "show"
    for name, caption in draw_windows(opened, folder, split, count, seed).items():
        print(f"{folder / name}  {caption}")
