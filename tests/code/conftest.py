"""A package of a few lines, written for one test."""

from pathlib import Path

import pytest
from packages import Files, Make, put


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes a package `tips` whose folders are packages."""

    def write(files: Files) -> Path:
        folder = tmp_path / "tips"
        inits = {
            f"{parent.as_posix()}/__init__.py": ""
            for name in files
            for parent in Path(name).parents
            if not name.startswith("..")
        }
        put(folder, inits | files)
        return folder

    return write
