"""A signal to every process of a training, its loaders too, ends it with its state saved."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

REPOSITORY = Path(__file__).parents[2]
SCRIPT = Path(__file__).with_name("stopped.py")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_loaders_live_until_the_cycle_is_saved(tmp_path: Path, number: int) -> None:
    done = run(tmp_path, number, 1)
    assert done.returncode == 128 + number, done.stderr
    assert "saved at step 8" in done.stderr
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] == 8


@pytest.mark.slow
def test_ranks_with_loaders_save_when_their_launcher_is_told_to_end(tmp_path: Path) -> None:
    done = run(tmp_path, signal.SIGTERM, 2)
    assert "saved at step " in done.stderr, done.stderr
    assert torch.load(tmp_path / "state.pt", weights_only=True)["step"] % 8 == 0


def run(folder: Path, number: int, count: int) -> subprocess.CompletedProcess[str]:
    together = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return subprocess.run(
        [
            *(sys.executable, *(together if count > 1 else ())),
            *(str(SCRIPT), str(folder), "1", str(int(number)), str(count)),
        ],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        start_new_session=True,
    )
