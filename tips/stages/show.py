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
    """Writes windows-*.png and prints their names: frames, interim frames, joints on frame t.

    Args:
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        split: train or val.
        count: windows to draw.
        seed: another seed draws other windows.
        out: folder of the pictures; default: `show` below the scale's reports folder.

    Raises:
        ConfigError: an unknown split or scale, no windows, or a negative seed.
        RecordError: the dataset, its packed or its interim frames are not there yet.
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
