"""What a guest makes Snakemake do, from nothing: its own job, or one line before any job."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from finished_study import REPOSITORY, jobs, snakemake

from tips.config import load_scale
from tips.evaluation.poseval_files import write_found
from tips.paths import study_paths
from tips.records import Annotations, Frame, Predictions, Sequence, write

pytestmark = pytest.mark.slow
NAME = "walk_1"
TOLD = """title: Mine
folder: mine
origin: a test
frames: 1
trained_on: nothing
boxes: none
made: self-reported
scales: [smoke]
"""


def one_clip() -> Annotations:
    frames = tuple(Frame(file=f"{k}.jpg", id=k, labelled=True) for k in range(2))
    clip = Sequence(name=NAME, width=9, height=9, motion="walk", frames=frames)
    return Annotations(dataset="embedded", split="val", root=".", sequences=(clip,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The code alone, and a guest of a dataset with one sequence."""
    for name in ("tips", "csrc", "workflow", "experiments"):
        ignored = shutil.ignore_patterns("__pycache__", "build")
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignored)
    shutil.copy(REPOSITORY / "environment.yml", tmp_path)
    (tmp_path / "experiments/guests/mine.yaml").write_text(TOLD)
    nobody = Predictions(variant="mine", seed=0, boxes="none", sequences=())
    write_found(nobody, one_clip(), tmp_path / "mine")
    return tmp_path


def refused(folder: Path, says: str, scale: str = "smoke") -> None:
    shown: subprocess.CompletedProcess[str] = snakemake(folder, "-n", scale=scale)
    text = shown.stdout + shown.stderr
    assert shown.returncode == 2, text
    assert [says in line for line in text.splitlines()].count(True) == 1, text
    assert "Traceback" not in text
    assert "rule " not in text


def test_a_guest_is_one_job_of_the_studies_that_it_is_for(folder: Path) -> None:
    found = jobs(folder)
    assert sum(count for (rule, _), count in found.items() if rule == "guest") == 1
    (folder / "experiments/guests/mine.yaml").write_text(TOLD.replace("smoke", "desk"))
    assert "guest" not in {rule for rule, _ in jobs(folder)}


def test_bad_files_are_one_line_before_the_data_are_there(folder: Path) -> None:
    file = folder / "mine" / f"{NAME}.json"
    data = json.loads(file.read_text())
    file.write_text("{")
    refused(folder, f"error: mine/{NAME}.json: not JSON at")
    data["categories"][0]["keypoints"][0] = "left_eye"
    file.write_text(json.dumps(data))
    refused(folder, f"error: mine/{NAME}.json: categories[0].keypoints: no nose; all 15 joints")
    file.unlink()
    refused(folder, "error: experiments/guests/mine.yaml: mine: no *.json here")


def test_another_dataset_is_one_line_as_soon_as_the_data_are_there(folder: Path) -> None:
    other = one_clip().model_copy(
        update={"sequences": (one_clip().sequences[0].model_copy(update={"name": "run_7"}),)}
    )
    paths = study_paths(load_scale("smoke", folder / "experiments"))
    write(other, folder / paths.annotations("val"))
    refused(folder, "error: experiments/guests/mine.yaml: no file run_7.json, a sequence of")
