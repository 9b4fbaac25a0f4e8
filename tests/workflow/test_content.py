"""Content decides what is current, file times do not, and no shortcut hides a missing run."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest
from finished_study import STUDY, edit, jobs, rules, snakemake
from snakemake.persistence.file import FilePersistence

from tips.training.finished import MARK, OUTPUTS, FinishedRun

pytestmark = pytest.mark.slow


def test_an_edited_kernel_is_compiled_and_trains_nothing(copy: Path) -> None:
    edit(copy / "csrc/attention.h", "\n", "\n// A remark.\n")
    assert rules(jobs(copy)) == {"kernels", "all"}


def test_an_edited_kernel_hides_no_missing_run(copy: Path) -> None:
    shutil.rmtree(copy / f"results/{STUDY}/runs/embedded/concat-wide/seed-1")
    (copy / f"reports/{STUDY}/index.html").unlink()
    before = rules(jobs(copy))
    assert {"train", "predict", "evaluate", "report"} <= before
    edit(copy / "csrc/attention.h", "\n", "\n// A remark.\n")
    assert rules(jobs(copy)) == before | {"kernels"}


def forget_times(folder: Path) -> None:
    """As a copy does that keeps none, in the worst of orders."""
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder).parts[0] != ".snakemake":
            when = random.randint(10**9, 2 * 10**9)
            os.utime(file, (when, when))


def test_a_copy_without_its_times_has_nothing_to_do(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy, copy_function=shutil.copyfile)
    weights = copy / f"results/{STUDY}/runs/embedded/tips/seed-0/checkpoint.pt"
    assert weights.stat().st_size > 1_000_000
    forget_times(copy)
    assert not jobs(copy)
    assert not jobs(copy, "--cores", "2")


@pytest.fixture
def handed(finished: Path, tmp_path: Path) -> Path:
    """A fresh clone elsewhere with another's results and reports, as `rsync -r` leaves them."""
    folder = tmp_path / "elsewhere"
    ignored = shutil.ignore_patterns(".snakemake")
    shutil.copytree(finished, folder, copy_function=shutil.copyfile, ignore=ignored)
    forget_times(folder)
    return folder


def test_handed_over_results_have_nothing_to_do(handed: Path) -> None:
    assert not jobs(handed)
    edit(handed / "experiments/tables.yaml", "77.3", "77.4")
    assert rules(jobs(handed)) == {"tabulate", "pictures", "report", "track", "all"}
    path = handed / "experiments/ablation/window-3.yaml"
    path.write_text(path.read_text() + "augmentation: {rotation: 30.0}\n")
    trained = [variant for rule, variant in jobs(handed) if rule == "train"]
    assert trained == ["window-3"]


def test_results_without_their_records_are_made_again(handed: Path) -> None:
    (handed / f"results/{STUDY}/made.json").write_text("{")
    shown = snakemake(handed, "-n")
    said = [line for line in (shown.stdout + shown.stderr).splitlines() if "made.json" in line]
    assert len(said) == 1
    assert "ignored" in said[0]
    assert "train" in rules(jobs(handed))


def test_an_older_file_with_another_content_is_seen(copy: Path) -> None:
    tables = copy / "experiments/tables.yaml"
    edit(tables, "77.3", "77.4")
    os.utime(tables, (10**9, 10**9))
    assert rules(jobs(copy)) == {"tabulate", "pictures", "report", "track", "all"}
    edit(tables, "77.4", "77.3")
    source = copy / "csrc/attention.h"
    edit(source, "\n", "\n// A remark.\n")
    os.utime(source, (10**9, 10**9))
    assert rules(jobs(copy)) == {"kernels", "all"}


def test_a_training_that_outlived_its_snakemake_is_kept(copy: Path) -> None:
    """Snakemake marked it incomplete, so it deletes the outputs and runs the rule again."""
    run = copy / f"results/{STUDY}/runs/embedded/window-3/seed-0"
    for file in (run / name for name in OUTPUTS):
        content = file.read_bytes()
        file.unlink()  # a hard link
        file.write_bytes(content)
    before = (run / "checkpoint.pt").read_bytes()
    key = json.loads((run / MARK).read_text())["key"]
    finished = FinishedRun(run, copy / f"results/{STUDY}/state/window-3/seed-0", key)
    finished.keep()
    persistence = FilePersistence(path=copy / ".snakemake")
    targets = [str((run / name).relative_to(copy)) for name in OUTPUTS]
    for target in targets:
        persistence._mark_incomplete(target, None)
    assert rules(jobs(copy, targets=targets[:1])) == {"train"}
    shown = snakemake(copy, "--", targets[0])
    text = shown.stdout + shown.stderr
    assert shown.returncode == 0, text
    assert f"already trained: {targets[0]}" in text
    assert (run / "checkpoint.pt").read_bytes() == before
    assert finished.kept.exists()
    assert not jobs(copy, targets=targets[:1])
