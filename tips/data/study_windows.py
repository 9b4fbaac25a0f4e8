"""Builds the windows of a study's splits from the stores of its frames."""

from tips.config import Variant
from tips.data.frames import open_frames, open_interim
from tips.data.windows import Stores, WindowSet
from tips.opened import Opened
from tips.records import Annotations


def open_windows(
    opened: Opened,
    variant: Variant,
    splits: list[Annotations],
    window: tuple[int, ...] | None = None,
) -> WindowSet:
    """Opens the frame stores that a variant's windows are cut out of.

    Args:
        opened: the study.
        variant: the variant, which tells window, crop and interim frames.
        splits: the annotations of every split that is used.
        window: offsets of the frames from t; None: the variant's own.
    """
    study, paths = opened
    experiment = variant.experiment
    interim = experiment.interim_frames
    dataset = study.scale.dataset
    stores: dict[str, Stores] = {
        annotations.split: Stores(
            open_frames(dataset, paths, annotations),
            open_interim(dataset, paths, interim, annotations.split) if interim else None,
        )
        for annotations in splits
    }
    return WindowSet(
        stores,
        experiment.window if window is None else window,
        experiment.crop,
        experiment.backbone.stride,
        study.scale.evaluation.enlarge,
        interim=interim is not None,
        mirror=dataset.body.mirror,
    )
