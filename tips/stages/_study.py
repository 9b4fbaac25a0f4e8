"""What most stages open first: the study, its paths, annotations and frame stores."""

from pathlib import Path
from typing import NamedTuple

from tips import records
from tips.config import Study, Variant, load_study
from tips.data.frames import open_frames, open_interim
from tips.data.windows import Stores, WindowSet
from tips.interim.vfit.settings import Settings as Vfit
from tips.paths import Paths, study_paths
from tips.records import Annotations

EXPERIMENTS = Path("experiments")


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
    settings: Vfit | None = opened.study.scale.vfit
    if settings is None or settings.training is None:
        return settings
    return Vfit(size=settings.size, weights=str(opened.paths.vfit))


def generator_settings(opened: Opened, generator: str) -> Vfit | None:
    """The settings of an interim generator; None where its kind has none."""
    return interpolator(opened) if generator == "vfit" else None


def read_annotations(paths: Paths, split: str) -> Annotations:
    """Reads one split's annotations."""
    return records.read(Annotations, paths.annotations(split))


def open_windows(opened: Opened, variant: Variant, splits: list[Annotations]) -> WindowSet:
    """Opens the frame stores that a variant's windows need."""
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
        experiment.window,
        experiment.crop,
        experiment.backbone.stride,
        study.scale.evaluation.enlarge,
        interim=interim is not None,
        mirror=dataset.body.mirror,
    )
