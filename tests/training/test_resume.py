"""A training killed with SIGKILL ends bit for bit as one that was not."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_study
import torch

from tips.stages import evaluate, predict, train

REPOSITORY = Path(__file__).parents[2]
RUN = Path(f"results/{tiny_study.SCALE}-{tiny_study.ROOT}/runs/{tiny_study.ROOT}/tips/seed-0")
STATE = Path(f"results/{tiny_study.SCALE}-{tiny_study.ROOT}/state/tips/seed-0")
PER_EPOCH = 12
# The last state is kept, because the optimiser's own is nowhere else.
TRAIN = """
from tips.stages import train
from tips.training.state import StateFolder
StateFolder.clear = lambda state: None
train.run("tips", scale="tiny", root="people")
"""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study up to its trained backbone."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_study.write(folder)
    with tiny_study.prepared(folder):
        train.run("hrnet", scale="tiny", root="people")
    return folder


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", TRAIN],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stderr=subprocess.PIPE,
        text=True,
    )


def last_step(folder: Path) -> int:
    """The last step whose line is complete; -1 where there is none."""
    journal = folder / STATE / "journal.jsonl"
    if not journal.is_file():
        return -1
    whole = [line for line in journal.read_text().splitlines(keepends=True) if line[-1] == "\n"]
    return int(json.loads(whole[-1])["step"]) if whole else -1


def kill_after(process: subprocess.Popen[str], folder: Path, step: int) -> int:
    """Kills within an epoch, between two saved states; returns the last finished step."""
    while process.poll() is None:
        if last_step(folder) >= step:
            process.send_signal(signal.SIGSTOP)
            done = last_step(folder)
            if (done + 1) % PER_EPOCH and (done + 1) % tiny_study.EVERY:
                process.kill()
                return done
            process.send_signal(signal.SIGCONT)
        time.sleep(0.005)
    pytest.fail(f"the training ended before step {step}: {process.communicate()[1]}")


def resumed(error: str) -> int:
    found = re.search(r"resuming at step (\d+)", error)
    return int(found.group(1)) if found else 0


def tensors_digest(value: Any) -> str:
    """Sha256 of all tensors and numbers in nested containers."""
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, torch.Tensor):
            digest.update(f"{part.dtype} {tuple(part.shape)}".encode())
            digest.update(part.contiguous().numpy().tobytes())
        elif isinstance(part, dict):
            for key in sorted(part, key=str):
                digest.update(str(key).encode())
                add(part[key])
        elif isinstance(part, list | tuple):
            for item in part:
                add(item)
        else:
            digest.update(repr(part).encode())

    add(value)
    return digest.hexdigest()


def fingerprint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What must not depend on how often a training was killed."""
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        predict.run("tips", scale="tiny", root="people")
        evaluate.run("tips", 0, scale="tiny", root="people")
    load = torch.load(folder / RUN / "checkpoint.pt", "cpu", weights_only=True)
    state = torch.load(folder / STATE / "state.pt", "cpu", weights_only=True)
    del state["seconds"]
    files = ("train.jsonl", "predictions.json", "metrics.json")
    return {
        "weights": tensors_digest(load),
        "state with optimiser": tensors_digest(state),
        **{name: hashlib.sha256((folder / RUN / name).read_bytes()).hexdigest() for name in files},
    }


@pytest.mark.slow
def test_three_kills_change_no_bit(
    ready: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("TIPS_KILL_SEED", time.time_ns() % 10_000))
    print(f"TIPS_KILL_SEED={seed}")
    rng = np.random.default_rng(seed)
    copy: Callable[[str], Path] = lambda name: Path(  # noqa: E731
        shutil.copytree(ready, tmp_path / name)
    )
    whole, broken = copy("whole"), copy("broken")
    process = start(whole)
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert resumed(error) == 0

    done = -1
    for first, last in ((5, 10), (13, 20), (24, 30)):
        process = start(broken)
        killed = kill_after(process, broken, int(rng.integers(first, last)))
        began = resumed(process.communicate()[1])
        if done >= 0:
            assert began > 0
            assert 0 <= done + 1 - began < tiny_study.EVERY
        done = killed
    process = start(broken)
    _, error = process.communicate()
    assert process.returncode == 0, error
    assert 0 <= done + 1 - resumed(error) < tiny_study.EVERY
    assert json.loads((broken / RUN / "provenance.json").read_text())["resumed_at"] > 0
    assert last_step(broken) == 3 * PER_EPOCH - 1

    assert fingerprint(broken, monkeypatch) == fingerprint(whole, monkeypatch), f"seed {seed}"


@pytest.mark.slow
def test_an_orphan_is_not_trained_over(ready: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ready, tmp_path / "orphan"))
    orphan = start(folder)
    while last_step(folder) < 1:
        assert orphan.poll() is None
        time.sleep(0.01)
    orphan.send_signal(signal.SIGSTOP)  # or it ends before the second one asks
    words = ("stage", "train", "--variant", "tips", *tiny_study.STUDY)
    second = subprocess.run(
        [sys.executable, "-m", "tips", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    orphan.kill()
    orphan.communicate()
    assert second.returncode == 2
    assert f"(process {orphan.pid} on host " in second.stderr
    assert f"wait for it or end it with: kill {orphan.pid}" in second.stderr
    assert "Traceback" not in second.stderr
