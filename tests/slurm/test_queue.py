"""Trainings in a queue: stopped, requeued, ended by their time limit, cancelled, left alone."""

import functools
import json
import math
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from queued_study import (
    PROFILE,
    SAVING,
    SCALE,
    SHORT,
    Queue,
    checkpoint,
    run_folder,
    said,
    snakemake,
    steps,
    until,
    weights,
    write_scale,
)

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
TRAIN = snakemake(*PROFILE, "--retries", "3", "--", checkpoint())


class Trained(NamedTuple):
    weights: str
    seconds: float


def recorded(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run_folder(folder) / "provenance.json").read_text())
    return found


@pytest.fixture(scope="module")
def unbroken(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Trained]:
    """Trains without a queue, so many epochs."""

    @functools.cache
    def trained(epochs: int) -> Trained:
        folder = Path(shutil.copytree(prepared, tmp_path_factory.mktemp("unbroken") / "study"))
        write_scale(folder, epochs)
        done = subprocess.run(
            [sys.executable, "-m", "tips", "stage", "train", "--variant=hrnet", f"--scale={SCALE}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Trained(weights(folder), recorded(folder)["seconds"])

    return trained


def test_a_requeued_job_goes_on(
    queue: Queue, study: Callable[..., Path], unbroken: Callable[[int], Trained]
) -> None:
    folder = study("requeued")
    main = queue.start(folder, *TRAIN)
    until(lambda: steps(folder) > SAVING, 120, folder / "main.log")
    (number,) = queue.waiting_or_running()
    queue.ask("scontrol", "requeue", number)
    until(lambda: queue.state(number) == "PENDING", 60, folder / "main.log")
    queue.ask("scontrol", "update", f"JobId={number}", "StartTime=now")  # else in two minutes
    assert main.wait(300) == 0, (folder / "main.log").read_text()
    assert "resuming at step" in said(folder)
    assert weights(folder) == unbroken(SHORT).weights
    record = recorded(folder)
    assert record["job"] == number
    assert record["node"] == ""


def test_a_time_limit_is_gone_on_from(
    queue: Queue, study: Callable[..., Path], unbroken: Callable[[int], Trained]
) -> None:
    # On this machine it takes half as long again as the shortest limit that a job can have.
    epochs = math.ceil(SHORT * 90 / unbroken(SHORT).seconds)
    folder = study("limited", epochs)
    limited = snakemake(*PROFILE, "--set-resources", "train:runtime=1", "--", checkpoint())
    assert queue.run(folder, *limited) == 0, (folder / "main.log").read_text()
    ended = [job["JobState"] for job in queue.jobs() if job["WorkDir"] == str(folder)]
    assert "TIMEOUT" in ended
    logs = [file.read_text() for file in (folder / ".snakemake/slurm_logs").rglob("*.log")]
    for words in ("SIGTERM: saved at step", "resuming at step"):
        assert any(words in log for log in [*logs, said(folder)]), words
    assert weights(folder) == unbroken(epochs).weights


def test_ctrl_c_empties_the_queue(queue: Queue, study: Callable[..., Path]) -> None:
    folder = study("cancelled")
    words = " ".join([*PROFILE[2:], "--until", "train"])
    main = queue.start(
        folder,
        *(sys.executable, "-m", "tips", "stage", "reproduce", "--scale", SCALE),
        *("--profile", "slurm", "--snakemake", words),
    )
    until(lambda: steps(folder) >= 0, 120, folder / "main.log")
    main.send_signal(signal.SIGINT)
    assert main.wait(120) == 130, (folder / "main.log").read_text()
    until(lambda: not queue.waiting_or_running(), 60, folder / "main.log")


@pytest.mark.parametrize("apart", [False, True])
def test_nothing_is_trained_twice_after_a_kill(
    queue: Queue, study: Callable[..., Path], unbroken: Callable[[int], Trained], apart: bool
) -> None:
    """The next start may come from another node, as another PID namespace stands for."""
    before = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child") if apart else ()
    if before and subprocess.run([*before, "true"], check=False).returncode:
        pytest.skip("no right to make a PID namespace")
    folder = study("killed")
    main = queue.start(folder, *TRAIN)
    until(lambda: steps(folder) > SAVING, 120, folder / "main.log")
    (number,) = queue.waiting_or_running()
    os.killpg(main.pid, signal.SIGKILL)
    main.wait()
    recover = (
        "import logging; logging.basicConfig(level=logging.INFO)\n"
        "from pathlib import Path; from tips.stages.reproduce import recover\n"
        "recover((Path('results'),))"
    )
    assert queue.run(folder, *before, sys.executable, "-c", recover, log="recover.log") == 0
    assert f"waiting for job {number} of a killed run" in (folder / "recover.log").read_text()
    assert queue.run(folder, *TRAIN) == 0, (folder / "main.log").read_text()
    assert weights(folder) == unbroken(SHORT).weights
    record = recorded(folder)
    assert (record["job"], record["resumed_at"]) == (number, 0)
