"""The finished smoke study."""

from pathlib import Path

import pytest
from dag import REPOSITORY, STUDY, copy_study, snakemake


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with its smoke study, if that is finished and of this code."""
    report = REPOSITORY / "reports" / STUDY / "index.html"
    if not report.is_file():
        pytest.skip("no finished smoke study: run `make smoke`")
    folder = tmp_path_factory.mktemp("finished")
    copy_study(REPOSITORY, folder)
    shown = snakemake(folder, "-n")
    if shown.returncode == 0 and "Nothing to be done" not in shown.stdout + shown.stderr:
        pytest.skip("the smoke study is not of this code: run `make smoke`")
    return folder


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    copy_study(finished, tmp_path)
    return tmp_path
