"""Brings the MLflow database up to date with the run folders."""

import getpass
import json
import logging
import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from tips.chain import Judge, parent_difference
from tips.config import MEAN_POSE, Study, load_study
from tips.paths import Paths, study_paths
from tips.proofs import read_proofs
from tips.safe_text import one_line
from tips.tables import runs
from tips.tables.claims import CLAIMS
from tips.tables.contents import SHEETS
from tips.tables.explained import explain, question
from tips.tables.published import Tables, load_tables
from tips.tracking.mlflow_sync import Told, experiment_name, sync, sync_server
from tips.tracking.run_files import is_shown, read_runs
from tips.tracking.variants import (
    DIFFERS,
    PARENT,
    Tags,
    joined,
    table_gains,
    table_tags,
    verdict_tags,
)

log = logging.getLogger(__name__)

SHOWN: Final = 100  # characters of an address that a message shows


def run(scale: str = "desk", root: str = "", seeds: int = 0) -> None:
    """Copies results/runs to results/mlflow.db: a parent run per variant, a child per seed.

    If MLFLOW_TRACKING_URI is the address of a server (http or https), they are also copied there,
    into an experiment named after the scale, the dataset and the user, or MLFLOW_EXPERIMENT_NAME.

    Gains, their intervals and verdicts are those of the tables that `tabulate` has made. A second
    call writes nothing twice. The database can be deleted: the next call makes it again.

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
    found = runs.find(runs.wanted(study, tables), paths, judge=None)
    counted = {file.metrics for file in found if file.state == "present"}
    folders = read_runs(paths.results / "runs" / paths.dataset, counted)
    variants = sorted({folder.variant for folder in folders})
    name = experiment_name(study.scale.name, paths.dataset)
    told = _told(study, paths, tables, variants, root)
    counts = sync(paths.mlflow, name, folders, told)
    log.info("%s: %d runs written, %d kept, %d removed", paths.mlflow, *counts)
    if server := _server():
        own = os.environ.get("MLFLOW_EXPERIMENT_NAME") or f"{name} of {getpass.getuser()}"
        counts = sync_server(server, own, paths.mlflow, folders, told)
        log.info("%s, '%s': %d runs written, %d kept, %d removed", server, own, *counts)


def _server() -> str:
    """Gives the address of the MLflow server that the user names; empty if it is none."""
    address = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not address or address.startswith(("http://", "https://")):
        return address
    log.warning(
        "MLFLOW_TRACKING_URI must begin with http:// or https://; nothing is sent to '%s'",
        one_line(address, SHOWN),
    )
    return ""


def _told(study: Study, paths: Paths, tables: Tables, variants: Sequence[str], root: str) -> Told:
    """Gathers what tables, experiments and records tell of the variants."""
    made = [one for one in SHEETS if one.compares and one.file(paths).is_file()]
    rows = {sheet.stem: sheet.read(paths) for sheet in made}
    claims = CLAIMS.read(paths) if CLAIMS.file(paths).is_file() else []
    tags = joined(
        table_tags(tables), verdict_tags(tables, rows, claims), _difference_tags(study, variants)
    )
    files = {"": _figures(paths.reports / "figures")} | _chains(
        study, paths, tables, variants, root
    )
    command = shlex.join(["tips", "stage", "track", "--scale", study.scale.name])
    return Told(tags, table_gains(tables, rows), files, command)


def _difference_tags(study: Study, variants: Iterable[str]) -> Tags:
    """Tells the parent of every variant, and what differs from it."""
    return {
        name: {
            PARENT: study.variants[name].parent,
            DIFFERS: "; ".join(parent_difference(study, name)) or "nothing",
        }
        for name in variants
        if name in study.variants and study.variants[name].parent
    }


def _chains(
    study: Study, paths: Paths, tables: Tables, variants: Iterable[str], root: str
) -> dict[str, dict[str, bytes]]:
    """Answers `tips why` for every variant of the study, as the file why.json."""
    judge = Judge(study, paths, read_proofs(paths.proofs))
    found = {}
    for name in variants:
        if name in study.variants or name == MEAN_POSE:
            answer, _ = explain(name, question(name, study, tables), judge, root)
            found[name] = {"why.json": json.dumps(answer, indent=1, sort_keys=True).encode()}
    return found


def _figures(folder: Path) -> dict[str, bytes]:
    """Reads the pictures of the report."""
    pictures = [path for path in sorted(folder.glob("*")) if is_shown(path, folder)]
    return {f"figures/{path.name}": path.read_bytes() for path in pictures}
