"""Looks into a cluster's queue: the jobs there that work in this folder, from whichever node."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

ASK: Final = ("squeue", "--me", "--noheader", "--format=%i|%T|%N|%j|%Z")
USED: Final = Path(".snakemake/tips/queued")  # is there if this study has sent jobs to a queue
# Snakemake names its jobs after the start of itself that sent them, behind the user's own prefix.
SENT: Final = re.compile(r"(.+_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
PATIENCE: Final = 60  # s that an answer may take
REMEDY: Final = f"try again, or remove {USED} if no job of this study runs"


class QueuedJob(NamedTuple):
    """A job in the queue, waiting or running."""

    number: str
    state: str
    node: str  # empty while it waits


class NoAnswerError(ValueError):
    """The queue cannot be asked; the message says why."""


def own_job() -> str:
    """Gives the number of the job that this process is a part of; empty outside of jobs."""
    return os.environ.get("SLURM_JOB_ID", "")


def note_use() -> None:
    """Notes that this study sends jobs to a queue, into which `jobs_here` looks then."""
    USED.parent.mkdir(parents=True, exist_ok=True)
    USED.touch()


def jobs_here() -> list[QueuedJob]:
    """Lists this user's jobs that Snakemake sent from this folder; none if none was ever sent.

    Raises:
        NoAnswerError: jobs were sent from here, and the queue does not answer.
    """
    if not USED.is_file():
        return []
    if shutil.which(ASK[0]) is None:
        raise NoAnswerError(
            f"{USED}: this study has sent jobs to a cluster, and there is no squeue here to see "
            "whether they still run; go on from a login node, or remove this file if none runs"
        )
    try:
        done = subprocess.run(ASK, capture_output=True, text=True, check=False, timeout=PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise NoAnswerError(f"squeue did not answer within {PATIENCE} s; {REMEDY}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise NoAnswerError(f"squeue failed ({said[-1] if said else done.returncode}); {REMEDY}")
    found = []
    for line in done.stdout.splitlines():
        number, state, node, name, folder = line.strip().split("|", 4)
        if number != own_job() and SENT.fullmatch(name) and Path(folder) == Path.cwd():
            found.append(QueuedJob(number, state, node))
    return found
