"""Brings the MLflow database up to date with the run folders."""

import logging
from pathlib import Path

from tips.config import load_study
from tips.paths import study_paths
from tips.tables import runs
from tips.tables.contents import SHEETS
from tips.tables.published import load_tables
from tips.tracking.mlflow_sync import experiment_name, sync
from tips.tracking.run_files import read_runs, table_gains, table_tags

log = logging.getLogger(__name__)


def run(scale: str = "desk", root: str = "", seeds: int = 0) -> None:
    """Copies results/runs to results/mlflow.db: a parent run per variant, a child per seed.

    Gains and their intervals are those of the tables that `tabulate` has made. A second call
    writes nothing twice. The database can be deleted: the next call makes it again.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        seeds: Takes this number of seeds of every variant; 0 takes those of the scale.

    Raises:
        ConfigError, RecordError: a file of a run, the scale or tables.yaml cannot be used.
    """
    experiments = Path("experiments")
    study = load_study(scale, experiments, root or None, seeds or None)
    paths = study_paths(study.scale)
    tables = load_tables(experiments / "tables.yaml", study.scale.dataset.release)
    made = [one for one in SHEETS if one.compares and one.file(paths).is_file()]
    gains = table_gains(tables, {sheet.stem: sheet.read(paths) for sheet in made})
    found = runs.find(runs.wanted(study, tables), paths, judge=None)
    counted = {file.metrics for file in found if file.state == "present"}
    folders = read_runs(paths.results / "runs" / paths.dataset, counted)
    name = experiment_name(study.scale.name, paths.dataset)
    counts = sync(paths.mlflow, name, folders, table_tags(tables), gains)
    log.info("%s: %d runs written, %d kept, %d removed", paths.mlflow, *counts)
