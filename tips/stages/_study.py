"""What most stages open first: the study, its paths, annotations and frame stores."""

from pathlib import Path
from typing import NamedTuple

from tips import records
from tips.config import Study, Variant, Vfit, load_study
from tips.data.frames import open_frames, open_interim
from tips.data.windows import Stores, WindowSet
from tips.paths import Paths, study_paths
from tips.records import Annotations

EXPERIMENTS = Path("experiments")
STRIDE = 4  # of every backbone's output


class Opened(NamedTuple):
    """A study and where its files lie."""

    study: Study
    paths: Paths


def open_study(scale: str, root: str = "") -> Opened:
    """Loads a study by the scale's name; `root` is the dataset where the scale leaves it open."""
    study = load_study(scale, EXPERIMENTS, root or None)
    return Opened(study, study_paths(study.scale))


def interpolator(opened: Opened) -> Vfit | None:
    """What the interim generator `vfit` is in a study: its own training's, or a published one."""
    settings = opened.study.scale.vfit
    if settings is None or settings.training is None:
        return settings
    return Vfit(size=settings.size, weights=str(opened.paths.vfit))


def read_annotations(paths: Paths, split: str) -> Annotations:
    """Reads one split's annotations."""
    return records.read(Annotations, paths.annotations(split))


def open_windows(opened: Opened, variant: Variant, splits: list[Annotations]) -> WindowSet:
    """Opens the frame stores that a variant's windows need."""
    study, paths = opened
    experiment = variant.experiment
    interim = experiment.rough_frames
    dataset = study.scale.dataset
    stores: dict[str, Stores] = {
        annotations.split: Stores(
            open_frames(dataset, paths, annotations),
            open_interim(dataset, paths, experiment.interim, annotations.split)
            if interim
            else None,
        )
        for annotations in splits
    }
    return WindowSet(
        stores,
        experiment.window,
        experiment.crop,
        STRIDE,
        study.scale.evaluation.enlarge,
        interim=interim,
        mirror=dataset.body.mirror,
    )
