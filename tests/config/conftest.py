import shutil
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def experiments(tmp_path: Path) -> Path:
    """A copy of experiments/ to spoil."""
    return Path(shutil.copytree(EXPERIMENTS, tmp_path / "experiments"))
