"""The whole smoke study through SLURM, its trainings as jobs with a card."""

import csv
import re
import sys
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import pytest
from queued_study import WITHOUT_ACCOUNTING, Queue, copy_code, times

pytestmark = [pytest.mark.slurm, pytest.mark.slow]
STUDY = "smoke-embedded"
CARDS = ("--set-resources", "train:gpu=1")


@pytest.fixture(scope="module")
def made(queue: Queue, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_code(tmp_path_factory.mktemp("smoke"))
    code = queue.run(
        folder,
        *(sys.executable, "-m", "tips", "stage", "reproduce", "--scale", "smoke"),
        *("--profile", "slurm", "--snakemake", " ".join([*WITHOUT_ACCOUNTING, *CARDS])),
    )
    assert code == 0, (folder / "main.log").read_text()[-5000:]
    return folder


def of_study(queue: Queue, folder: Path, rule: str) -> Iterator[dict[str, str]]:
    for job in queue.jobs():
        if job["WorkDir"] == str(folder) and rule in job.get("Comment", ""):
            yield job


def test_it_ends_with_its_report(made: Path, queue: Queue) -> None:
    assert (made / f"reports/{STUDY}/index.html").is_file()
    assert "The report: reports/" in (made / "main.log").read_text()
    assert queue.waiting_or_running() == []


def test_trainings_ask_for_a_card_and_overlap(made: Path, queue: Queue) -> None:
    jobs = [*of_study(queue, made, "train")]
    assert len(jobs) > 20
    assert all("gres:gpu:1" in job.get("TresPerJob", "") for job in jobs)
    spans = sorted(times(job) for job in jobs)
    assert any(a[1] > b[0] for a, b in combinations(spans, 2))


def test_short_jobs_take_at_most_twice_their_work(made: Path, queue: Queue) -> None:
    """Work is what the benchmark files have; the rest is the start of Snakemake."""
    jobs = [*of_study(queue, made, "scoring")] or [*of_study(queue, made, "predict")]
    assert jobs
    held = sum((end - begin).total_seconds() for begin, end in map(times, jobs))
    work = 0.0
    for rule in ("predict", "predict_detected", "evaluate", "evaluate_detected"):
        for file in (made / f"results/{STUDY}/benchmarks/{rule}").glob("*.tsv"):
            with file.open() as stream:
                work += sum(float(row["s"]) for row in csv.DictReader(stream, delimiter="\t"))
    assert held <= 2 * work, f"{held:.0f} s for {work:.0f} s of work"


def test_its_jobs_ran_the_code_that_it_was_started_with(made: Path) -> None:
    copies = [*(made / ".snakemake/tips/code").iterdir()]
    assert len(copies) == 1
    assert (
        re.search(r"--snakefile \S*\.snakemake/tips/code/", (made / "main.log").read_text())
        or (copies[0] / "workflow/Snakefile").is_file()
    )
