"""Starts a script of this folder as one process, or as several ranks."""

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def run_ranks(script: str, count: int, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs it in a session of its own, so that a signal to its group reaches nobody else."""
    together = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    file = str(Path(__file__).with_name(script))
    return subprocess.run(
        [sys.executable, *(together if count > 1 else ()), file, *words],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        start_new_session=True,
    )
