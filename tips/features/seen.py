"""Reads what a frozen backbone sees in windows from kept features."""

from collections.abc import Sequence

import torch

from tips.config import Experiment
from tips.features.make import Lister, kept_features
from tips.features.store import Features
from tips.kept import FRAMES, Cache
from tips.opened import Opened
from tips.tensors import Seen


class SeenWindows:
    """The kept features of a set of windows.

    Args:
        frames: features of the frames.
        interim: features of the interim frames; None for a model that looks at none.
    """

    def __init__(self, frames: Features, interim: Features | None) -> None:
        self.frames, self.interim = frames, interim

    def __call__(self, windows: Sequence[int]) -> Seen:
        """Reads some windows, by their numbers, on the CPU."""
        frames = self.frames(windows)
        return Seen(frames, frames[:, :0] if self.interim is None else self.interim(windows))


def open_seen(
    opened: Opened,
    caches: Sequence[Cache],
    experiment: Experiment,
    device: torch.device,
    places: Lister,
) -> SeenWindows:
    """Opens the features that a row reads; missing ones, or ones of other code, are made first.

    Args:
        opened: the study.
        caches: the row's caches, from `kept.of_training` or `kept.of_validation`.
        experiment: the row's settings.
        device: where the backbone runs if features must be made.
        places: lists the windows; see `make.kept_features`.
    """
    window = experiment.window
    folders = {one.source: kept_features(opened, one, device, places) for one in caches}
    frames = Features(folders.pop(FRAMES), window)
    interim = [Features(folder, window[:-1]) for folder in folders.values()]
    return SeenWindows(frames, interim[0] if interim else None)
