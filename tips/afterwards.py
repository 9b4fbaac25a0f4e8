"""Ends the workflow at once when it shall end, and says what went wrong."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psutil


def stop_timers() -> None:
    """Cancels the waiting timers of Snakemake's scheduler, for which its process would wait."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def end_jobs_at_sigterm() -> None:
    """Lets `kill` end Snakemake's jobs, too; alone it would wait for them, hours at paper scale."""
    no_more_jobs = signal.getsignal(signal.SIGTERM)  # Snakemake's own handler

    def end(number: int, frame: FrameType | None) -> None:
        if callable(no_more_jobs):
            no_more_jobs(number, frame)
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.terminate()

    signal.signal(signal.SIGTERM, end)


def complaints(logs: Path, since: float) -> Iterator[str]:
    """Finds the errors that jobs ended with: in each job's log the last line that is an error.

    Args:
        logs: the folder of the jobs' logs.
        since: the time at which the workflow started, in seconds; older logs are left out.
    """
    for file in sorted(logs.glob("*.log")):
        if file.stat().st_mtime < since:
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        said = [line for line in text.splitlines() if line.startswith("error: ")]
        if said:
            yield f"{said[-1]} (rule {file.stem})"
        elif " Killed " in text:  # this is how the shell reports a killed job
            yield f"error: killed, by hand or for want of memory (rule {file.stem})"
