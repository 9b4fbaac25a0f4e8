"""What most stages open first: the study, its paths and annotations."""

from pathlib import Path
from typing import NamedTuple

from tips import records
from tips.config import Parts, Study, Variant, load_study
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


def read_annotations(paths: Paths, split: str) -> Annotations:
    """Reads one split's annotations."""
    return records.read(Annotations, paths.annotations(split))


def part_groups(opened: Opened, variant: Variant) -> Parts:
    """The part groups of a variant's network; of spectral ones the study's own file is read."""
    experiment = variant.experiment
    count = experiment.spectral_groups
    spectral = None if count is None else opened.paths.groups(str(count))
    return experiment.groups(spectral, opened.study.scale.dataset.body)
