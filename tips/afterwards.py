"""What the workflow does when its last job has ended: it says what went wrong, and ends at once."""

import threading
from collections.abc import Iterator
from pathlib import Path


def stop_timers() -> None:
    """Ends the waits of Snakemake's scheduler, which its process would otherwise sit out."""
    for thread in threading.enumerate():
        if isinstance(thread, threading.Timer):
            thread.cancel()


def complaints(logs: Path, since: float) -> Iterator[str]:
    """Gives the errors that jobs ended with: the last line of each job's log that is one.

    Args:
        logs: folder of the jobs' logs.
        since: when the workflow started, in seconds; older logs are of earlier calls.
    """
    for file in sorted(logs.glob("*.log")):
        if file.stat().st_mtime < since:
            continue
        text = file.read_text(encoding="utf-8", errors="replace")
        said = [line for line in text.splitlines() if line.startswith("error: ")]
        if said:
            yield f"{said[-1]} (rule {file.stem})"
        elif " Killed " in text:  # the shell's own word for it
            yield f"error: killed, by hand or for want of memory (rule {file.stem})"
