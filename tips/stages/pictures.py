"""Draws windows, predictions and synthesized poses for a person to look at (Fig. 1, 5, 6)."""

import torch

from tips import records
from tips.opened import open_study
from tips.pictures.extremes import draw_extremes
from tips.pictures.overlays import draw_overlays
from tips.pictures.rivals import draw_contrast
from tips.pictures.samples import draw_windows
from tips.pictures.synthesized import draw_synthesis


def run(scale: str = "desk", root: str = "") -> None:
    """Draws windows, overlays, synthesized poses, the best and worst; pictures.json has captions.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
    """
    torch.set_num_threads(1)
    opened = open_study(scale, root)
    folder = opened.paths.reports / "figures"
    count = opened.study.scale.pictures
    captions = draw_windows(opened, folder, "val", count, seed=0)
    captions |= draw_overlays(opened, folder, count)
    captions |= draw_synthesis(opened, folder, count)
    captions |= draw_contrast(opened, folder)
    captions |= draw_extremes(opened, folder)
    records.write_json(captions, folder / "pictures.json")
