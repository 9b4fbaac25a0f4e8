"""What the one line about a mistake says."""

import errno
import os
from pathlib import Path
from types import TracebackType
from typing import Final

PACKAGE: Final = Path(__file__).parent
NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def complaint(error: Exception) -> str:
    """Writes the line about a mistake; "" if the error is no mistake of the user's."""
    if isinstance(error, OSError):
        return _about_system(error)
    if isinstance(error, RecursionError):
        return "a file is nested too deeply to be read; give one of the documented form"
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return f"out of memory: {str(error) or 'give smaller sizes or batches'}"
    if isinstance(error, RuntimeError):
        # torch has no class of its own for a failed allocation on the CPU.
        found = "DefaultCPUAllocator" in str(error)
        return f"out of memory: give smaller sizes or batches ({error})" if found else ""
    return str(error) if _raised_by_us(error.__traceback__) else ""


def _about_system(error: OSError) -> str:
    """Writes the line about what the operating system refused, with the file if it names one."""
    if error.errno is None:
        return str(error) or type(error).__name__
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in NO_SPACE:
        return f"disk full{place}: free some space and run the same command again"
    reason = os.strerror(error.errno).lower()
    return f"{reason}{place}: make it accessible and run the same command again"


def _raised_by_us(traceback: TracebackType | None) -> bool:
    """Tells whether our own code raised an error: a user's mistake, and no bug in a library."""
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and Path(traceback.tb_frame.f_code.co_filename).is_relative_to(
        PACKAGE
    )
