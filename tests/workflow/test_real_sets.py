"""The whole DAG of each real dataset, before anything of it is there."""

import re
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
    shown = dry_run(tmp_path, scale)
    table = shown.rpartition("\njob ")[2]
    found = dict(line.split() for line in table.splitlines() if len(line.split()) == 2)
    counts = {rule: found.get(rule) for rule in [*jobs, "prepare", "all"]}
    assert counts == {rule: str(n) for rule, n in {**jobs, "prepare": 1, "all": 1}.items()}


@pytest.mark.parametrize("device", ["cuda", "auto"])
def test_jobs_that_need_the_card_ask_for_it(tmp_path: Path, device: str) -> None:
    """Whether there is a driver or not: the scale needs a card."""
    shown = dry_run(tmp_path, "paper-posetrack18", f"device={device}")
    jobs = _jobs(shown)
    found = {name: re.findall(r"gpu=(\d)", text) for name, text in jobs}
    using = {name for name, text in jobs if "gpu=1" in text}
    assert {"train", "predict", "predict_detected", "speed"} <= using
    assert (
        found["interpolate"] == found["interpolate_shard"] == ["0"]
    )  # optical flow; VFIT takes the card
    for name in ("prepare", "pack", "evaluate", "tabulate", "report"):
        assert found[name] == []
    assert sum(name == "train" for name, _ in jobs) == EVERY


def test_peers_from_outside_run_only_where_they_are_asked_for(tmp_path: Path) -> None:
    of = "paper-posetrack18"
    rules = [set(_rules(dry_run(tmp_path, of, f"peers={n}"))) for n in ("none", "all")]
    assert rules[1] - rules[0] == {"fetch_peers", "peer", "guest"}


def _rules(shown: str) -> list[str]:
    return [name for name, _ in _jobs(shown)]


def _jobs(shown: str) -> list[tuple[str, str]]:
    """(rule, what is told of it) of every job; those of a group are indented."""
    return re.findall(
        r"^ *(?:local)?rule (\w+):\n((?:(?! *(?:local)?rule ) .*\n)+)", shown, re.MULTILINE
    )


def dry_run(tmp_path: Path, scale: str, *config: str) -> str:
    for name in ("tips", "csrc", "workflow", "experiments"):
        ignored = shutil.ignore_patterns("__pycache__", "build")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignored, dirs_exist_ok=True)
    shutil.copy(REPOSITORY / "environment.yml", tmp_path)
    command = [str(Path(sys.executable).with_name("snakemake")), "-n"]
    shown = subprocess.run(
        [*command, "--config", f"scale={scale}", f"root={tmp_path}/archives", *config],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    return shown.stdout + shown.stderr
