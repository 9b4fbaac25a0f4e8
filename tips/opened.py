"""Opens what most stages need first: the study, its paths and its annotations."""

from pathlib import Path
from typing import NamedTuple

from tips import records
from tips.config import Parts, Study, Variant, load_study
from tips.paths import Paths, study_paths
from tips.records import Annotations

EXPERIMENTS = Path("experiments")


class Opened(NamedTuple):
    """A study, and the paths of its files."""

    study: Study
    paths: Paths


def open_study(scale: str, root: str = "") -> Opened:
    """Loads a study by the name of its scale; `root` is the dataset folder if it has none."""
    study = load_study(scale, EXPERIMENTS, root or None)
    return Opened(study, study_paths(study.scale))


def read_annotations(paths: Paths, split: str) -> Annotations:
    """Reads one split's annotations."""
    return records.read(Annotations, paths.annotations(split))


def part_groups(opened: Opened, variant: Variant) -> Parts:
    """Gives the part groups of a variant's network; spectral ones are read from a file."""
    experiment = variant.experiment
    count = experiment.spectral_groups
    spectral = None if count is None else opened.paths.groups(str(count))
    return experiment.groups(spectral, opened.study.scale.dataset.body)
