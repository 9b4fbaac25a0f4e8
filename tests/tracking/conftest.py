import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_runs import TAGS, make_run

from tips.tracking.mlflow_sync import Counts, Told, sync
from tips.tracking.run_files import read_runs


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: making one takes seconds, copying it none."""
    database = tmp_path_factory.mktemp("blank") / "mlflow.db"
    sync(database, "test toy", [], Told())
    return database


@pytest.fixture
def runs(tmp_path: Path, blank: Path) -> Path:
    root = tmp_path / "results/runs/toy"
    root.mkdir(parents=True)
    shutil.copyfile(blank, tmp_path / "results/mlflow.db")
    make_run(root, "full", 0, 50)
    make_run(root, "full", 1, 54)
    make_run(root, "hrnet", 0, 40)
    return root


@pytest.fixture
def again(tmp_path: Path, runs: Path) -> Callable[[], Counts]:
    return lambda: sync(tmp_path / "results/mlflow.db", "test toy", read_runs(runs), Told(TAGS))
