"""The whole DAG of each real dataset, before anything of it is there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tips.config import load_study

REPOSITORY = Path(__file__).parents[2]
EVERY = len(load_study("paper", REPOSITORY / "experiments", "anywhere").variants)
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("scale", "jobs"),
    [
        ("paper-posetrack17", {"unpack": 1, "detect": 1, "predict_detected": EVERY, "predict": 2}),
        ("paper-posetrack18-mmpose", {"unpack": 1, "detect": 1, "predict_detected": EVERY}),
        ("paper-posetrack21", {"unpack": 1, "detect": 1, "predict_detected": EVERY}),
        ("paper-jhmdb-2", {"unpack": 1, "train": 2, "predict": 2, "mean_pose": 1}),
    ],
)
def test_a_dry_run_from_nothing(tmp_path: Path, scale: str, jobs: dict[str, int]) -> None:
    for name in ("tips", "csrc", "workflow", "experiments"):
        ignored = shutil.ignore_patterns("__pycache__", "build")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignored)
    shutil.copy(REPOSITORY / "environment.yml", tmp_path)
    command = [str(Path(sys.executable).with_name("snakemake")), "-n"]
    shown = subprocess.run(
        [*command, "--config", f"scale={scale}", f"root={tmp_path}/archives"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    table = (shown.stdout + shown.stderr).rpartition("\njob ")[2]
    found = dict(line.split() for line in table.splitlines() if len(line.split()) == 2)
    counts = {rule: found.get(rule) for rule in [*jobs, "prepare", "all"]}
    assert counts == {rule: str(n) for rule, n in {**jobs, "prepare": 1, "all": 1}.items()}
