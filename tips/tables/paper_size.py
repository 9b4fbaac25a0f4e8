"""Chooses the networks that are counted at the paper's size: those that a table names."""

from pathlib import Path
from typing import NamedTuple

from tips.config import Experiment, Study, digest, load_study
from tips.config.scale import Release
from tips.tables.published import Tables, load_tables

SCALE = "paper"
RELEASE: Release = "posetrack17"  # Table VIII's dataset; only with it do its rows name variants
ADDED = "full-size"  # folder of the variants of Tables VIII-X; their stages one are counted too
TIMED = ("6", "8")  # tables that print a speed
# Parts of an experiment that change neither the network nor the memory of its training step.
FREE = {"augmentation", "training"}


class Networks(NamedTuple):
    """The study at the paper's size, and which of its networks are counted."""

    study: Study
    tables: Tables
    names: tuple[str, ...]  # the variants that are counted
    timed: tuple[str, ...]  # the variants that may be timed

    @property
    def meaning(self) -> str:
        """A text that changes if any network or its losses change, and only then."""
        return digest({name: network(self.study.variant(name).experiment) for name in self.names})

    @property
    def modules(self) -> list[str]:
        """Lists the modules that hold the networks' own parts."""
        variants = [self.study.variant(name) for name in self.names]
        return sorted({part for one in variants for part in one.experiment.modules()})


def open_networks(experiments: Path) -> Networks:
    """Reads the experiments at the paper's size. Raises ConfigError."""
    study = load_study(SCALE, experiments, root="none")  # no cost depends on the dataset
    tables = load_tables(experiments / "tables.yaml", RELEASE)
    added = [name for name, variant in study.variants.items() if variant.kind == ADDED]
    names = dict.fromkeys([*tables.trainings(), *added])
    return Networks(study, tables, tuple(names), _timed(tables))


def _timed(tables: Tables) -> tuple[str, ...]:
    """Lists the variants of the tables that print a speed."""
    rows = [row for name in TIMED for row in tables.table(name).rows]
    return tuple(dict.fromkeys(row.variant for row in rows if row.variant))


def network(experiment: Experiment) -> str:
    """Gives a text of all that a network's costs depend on; the times of its poses are left out."""
    found = {k: v for k, v in experiment.meaning().items() if k not in FREE}
    if experiment.points:
        found["synthesis"] = found["synthesis"] | {"points": len(experiment.points)}
    return str(found)
