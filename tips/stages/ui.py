"""Serves the MLflow pages of the database and prints where to look."""

import os
import sys
from pathlib import Path

from tips.config import ConfigError, load_study
from tips.paths import study_paths
from tips.records import RecordError
from tips.tracking.database import problem, sqlite_address
from tips.tracking.mlflow_store import ARTIFACTS
from tips.tracking.mlflow_sync import experiment_name, links
from tips.tracking.views import PORT, served


def run(scale: str = "desk", root: str = "", port: int = PORT) -> None:
    """Runs the MLflow server on this machine until Ctrl-C ends it.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        port: Serves the pages at this port, to this machine only.

    Raises:
        ConfigError: the port is none.
        RecordError: there is no whole database yet.
    """
    if not 0 < port < 2**16:
        raise ConfigError(f"--port {port}: a port is a number from 1 to 65535")
    study = load_study(scale, Path("experiments"), root or None)
    paths = study_paths(study.scale)
    if not paths.mlflow.is_file():
        raise RecordError(f"{paths.mlflow}: no such file; run `make mlflow` first")
    if why := problem(paths.mlflow):
        raise RecordError(
            f"{paths.mlflow}: {why}; run `make mlflow`, which makes it again from the run folders"
        )
    address = served(port)
    for label, page in links(paths.mlflow, experiment_name(study.scale.name, paths.dataset)):
        print(f"{label}: {address}/{page}")
    print("The pages come up in some 20 s; Ctrl-C ends the server.", flush=True)
    environment = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    os.execve(sys.executable, command(paths.mlflow, port), environment)


def command(database: Path, port: int) -> list[str]:
    """Gives the server's command line; artifacts are served from the folder beside the database."""
    return [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--backend-store-uri", sqlite_address(database)),
        *("--registry-store-uri", sqlite_address(database)),
        *("--artifacts-destination", os.path.relpath(database.parent / ARTIFACTS)),
        *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
    ]
