"""After runs of another copy were merged, the workflow trains none of them again."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from finished_study import STUDY, jobs, rules

pytestmark = pytest.mark.slow

GONE = ("hrnet/seed-0", "tips/seed-1", "concat-wide/seed-0", "copy-3/seed-0")
MADE = {"train", "predict", "predict_detected", "evaluate", "evaluate_detected", "features"}


def tips(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "tips", *words, "--scale", "smoke"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_runs(folder: Path) -> None:
    for name in GONE:
        shutil.rmtree(folder / f"results/{STUDY}/runs/embedded" / name)
        shutil.rmtree(folder / f"results/{STUDY}/state" / name)


@pytest.mark.parametrize("how", ["archive", "project", "without Snakemake's records"])
def test_merged_runs_are_not_made_again(
    finished: Path, copy: Path, tmp_path_factory: pytest.TempPathFactory, how: str
) -> None:
    place = finished
    if how == "archive":
        place = tmp_path_factory.mktemp("handed") / "study.zip"
        tips(finished, "archive", str(place), "--weights")
    without_runs(copy)
    if how == "without Snakemake's records":  # as a fresh clone with another's results
        shutil.rmtree(copy / ".snakemake")
    if how != "project":
        assert {"train", "predict", "evaluate"} <= rules(jobs(copy))
    assert f"{len(GONE)} runs entered" in tips(copy, "merge", str(place))
    assert not rules(jobs(copy)) & MADE
    # Nor are they, if the rules run all the same: a training finds itself finished.
    assert not rules(jobs(copy, "--rerun-triggers", "params", "code", "input")) & MADE
