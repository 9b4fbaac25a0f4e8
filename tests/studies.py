"""Studies of the committed scales, wherever their data would be."""

from pathlib import Path

from tips.config import Study, load_study, needs_root

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def study_of(scale: str, seeds: int | None = None) -> Study:
    """Loads a scale's study; one that leaves the dataset's folder open gets a name for it."""
    root = "anywhere" if needs_root(scale, EXPERIMENTS) else None
    return load_study(scale, EXPERIMENTS, root, seeds)
