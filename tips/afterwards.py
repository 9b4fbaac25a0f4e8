"""Ends the workflow when its last job has ended: it says what went wrong, and does not wait."""

import threading
from collections.abc import Iterator
from pathlib import Path


def stop_timers() -> None:
    """Cancels the waiting timers of Snakemake's scheduler, for which its process would wait."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


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
