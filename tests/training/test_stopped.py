"""A signal to every process of a training, its loaders too, ends it with its state saved."""

import signal
import subprocess
from pathlib import Path

import pytest
import torch
from processes import run_ranks


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
    """Sends the signal at step 1."""
    return run_ranks("stopped.py", count, str(folder), "1", str(int(number)), str(count))
