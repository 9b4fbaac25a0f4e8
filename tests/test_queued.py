"""What a cluster's queue is asked, and what its answers mean; a script stands for squeue."""

import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from tips import queued
from tips.queued import NoAnswerError, QueuedJob, jobs_here, note_use


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes squeue run these lines of shell, in a folder that has sent jobs to a queue."""
    folder, tools = tmp_path / "study", tmp_path / "bin"
    folder.mkdir()
    tools.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    note_use()

    def write(script: str) -> None:
        (tools / "squeue").write_text(f"#!/bin/sh\n{script}\n")
        (tools / "squeue").chmod(0o755)

    return write


def test_a_study_that_sent_no_job_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(queued.subprocess, "run", lambda *_: pytest.fail("was asked"))
    assert jobs_here() == []


def test_jobs_of_this_folder_count_but_for_the_own_one(
    answers: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, name = Path.cwd(), str(uuid.uuid4())
    lines = (
        *(f"7|RUNNING|node1|{name}|{here}", f"8|PENDING||mine_{name}|{here}"),
        *(f"9|RUNNING|node1|{name}|/other", f"10|RUNNING|node2|{name}|{here}"),
        f"11|RUNNING|node2|jupyter|{here}",  # a user's own session, begun in the study's folder
    )
    answers("\n".join(f"echo '{line}'" for line in lines))
    monkeypatch.setenv("SLURM_JOB_ID", "10")
    assert jobs_here() == [QueuedJob("7", "RUNNING", "node1"), QueuedJob("8", "PENDING", "")]


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'squeue: error: no controller' >&2; exit 1", r"squeue failed \(squeue: error: no"),
        ("exit 3", r"squeue failed \(3\)"),
        ("sleep 5", "did not answer within"),
    ],
)
def test_a_queue_that_does_not_answer_is_one_line(
    answers: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, script: str, says: str
) -> None:
    monkeypatch.setattr(queued, "PATIENCE", 0.5)
    answers(script)
    with pytest.raises(NoAnswerError, match=says):
        jobs_here()


def test_a_machine_without_the_queue_cannot_go_on_with_its_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    note_use()
    with pytest.raises(NoAnswerError, match="go on from a login node, or remove this file"):
        jobs_here()
