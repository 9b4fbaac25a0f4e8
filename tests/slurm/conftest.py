"""A SLURM for the session, and a study that is prepared up to its first training."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster import missing, running
from queued_study import SHORT, Queue, copy_code, snakemake, write_scale


@pytest.fixture(scope="session")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    if why := missing():
        pytest.skip(why)
    with running(tmp_path_factory.mktemp("slurm")) as variables:
        yield Queue(variables)


@pytest.fixture(scope="session")
def prepared(queue: Queue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study with all that the training of stage one reads."""
    folder = copy_code(tmp_path_factory.mktemp("prepared"))
    write_scale(folder, SHORT)
    done = subprocess.run(
        snakemake("--cores", "2", "--until", "pack", "kernels"),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def study(prepared: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a copy of it, whose training has so many epochs."""

    def copied(name: str, epochs: int = SHORT) -> Path:
        folder = Path(shutil.copytree(prepared, tmp_path / name, symlinks=True))
        write_scale(folder, epochs)
        return folder

    return copied
