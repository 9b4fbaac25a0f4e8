"""`tips stage train` with several ranks: the same run, also if others go on with it after a stop.

The bounds are those of sums in another order, over 36 steps. A bias in front of a batch norm has a
true gradient of 0, so Adam moves it by whole rounding errors; it is compared by what it changes.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_study
import torch
import yaml

from tips.stages import train

REPOSITORY = Path(__file__).parents[2]
RESULTS = Path(f"results/{tiny_study.SCALE}-{tiny_study.ROOT}")
BOUND, OF_ROUNDING = 2e-5, 1e-2
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny study up to its trained backbone; a cycle has four steps."""
    folder = tmp_path_factory.mktemp("ranked")
    tiny_study.write(folder)
    file = folder / f"experiments/scales/{tiny_study.SCALE}.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["experiment"]["training"]["accumulation"] = 4
    file.write_text(yaml.safe_dump(settings))
    with tiny_study.prepared(folder):
        train.run("hrnet", scale=tiny_study.SCALE, root=tiny_study.ROOT)
    return folder


@pytest.fixture
def copied(ready: Path, tmp_path: Path) -> Callable[[str], Path]:
    return lambda name: Path(shutil.copytree(ready, tmp_path / name))


def start(folder: Path, variant: str, ranks: int) -> subprocess.Popen[str]:
    words = ("stage", "train", "--variant", variant, *tiny_study.STUDY, "--ranks", str(ranks))
    return subprocess.Popen(
        [sys.executable, "-m", "tips", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )


def trained(folder: Path, variant: str, ranks: int) -> Path:
    process = start(folder, variant, ranks)
    _, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    return folder


def compare(folder: Path, other: Path, variant: str) -> None:
    """Compares the weights of two runs."""
    found, wanted = (
        torch.load(
            one / RESULTS / f"runs/{tiny_study.ROOT}/{variant}/seed-0/checkpoint.pt",
            weights_only=True,
        )["model"]
        for one in (folder, other)
    )
    assert found.keys() == wanted.keys()
    apart = {
        name: float((found[name].double() - value.double()).abs().max())
        for name, value in wanted.items()
    }
    far = {name for name, distance in apart.items() if distance > BOUND}
    assert all(name.endswith(("bias", "running_mean")) for name in far), apart
    assert len(far) <= len(apart) // 20, far
    assert max(apart.values()) < OF_ROUNDING


@pytest.mark.parametrize("ranks", [2, 4])
def test_a_backbone_is_that_of_one_process(
    ready: Path, copied: Callable[[str], Path], ranks: int
) -> None:
    folder = copied("ranks")
    shutil.rmtree(folder / RESULTS / "runs")
    shutil.rmtree(folder / RESULTS / "state")
    compare(trained(folder, "hrnet", ranks), ready, "hrnet")


def test_a_stop_with_two_ranks_is_continued_by_one_and_by_four(
    copied: Callable[[str], Path],
) -> None:
    whole, stopped = trained(copied("whole"), "tips", 1), copied("stopped")
    process = start(stopped, "tips", 2)
    journal = stopped / RESULTS / "state/tips/seed-0/journal.jsonl"
    while process.poll() is None and not journal.is_file():
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGTERM, error
    assert "SIGTERM: saved at step" in error
    assert "Traceback" not in error
    for ranks in (1, 4):
        folder = Path(shutil.copytree(stopped, stopped.with_name(f"goes-on-{ranks}")))
        process = start(folder, "tips", ranks)
        _, error = process.communicate(timeout=240)
        assert process.returncode == 0, error
        assert "resuming at step" in error
        compare(folder, whole, "tips")
