from pathlib import Path

import pytest

from tips.tracking.mlflow_sync import Told, sync


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty database: making one takes seconds, copying it none."""
    database = tmp_path_factory.mktemp("blank") / "mlflow.db"
    sync(database, "test toy", [], Told())
    return database
