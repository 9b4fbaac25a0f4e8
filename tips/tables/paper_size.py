"""Which networks are counted at the paper's size: those that a table names."""

from pathlib import Path
from typing import NamedTuple

from tips.config import Experiment, Study, digest, load_study
from tips.config.scale import Release
from tips.tables.published import Tables, load_tables

SCALE = "paper"
RELEASE: Release = "posetrack17"  # Table VIII's set: with it the table's rows name their variants
ADDED = "full-size"  # folder of the variants of Tables VIII-X: their stages one are counted too
TIMED = ("6", "8")  # tables with a speed
# What neither a network nor the memory of its training step depends on.
FREE = {"augmentation", "training"}


class Networks(NamedTuple):
    """The study at the paper's size, and what is counted of it."""

    study: Study
    tables: Tables
    names: tuple[str, ...]  # of all variants that are counted
    timed: tuple[str, ...]  # those whose time may be taken

    @property
    def meaning(self) -> str:
        """Changes with any network or its losses, and with nothing else."""
        return digest({name: network(self.study.variant(name).experiment) for name in self.names})

    @property
    def modules(self) -> list[str]:
        """The modules that the networks' own parts are in."""
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
    """Variants of the tables with a speed."""
    rows = [row for name in TIMED for row in tables.table(name).rows]
    return tuple(dict.fromkeys(row.variant for row in rows if row.variant))


def network(experiment: Experiment) -> str:
    """What a network's costs depend on; where points of a trajectory lie is no part of it."""
    found = {k: v for k, v in experiment.meaning().items() if k not in FREE}
    if experiment.points:
        found["synthesis"] = found["synthesis"] | {"points": len(experiment.points)}
    return str(found)
