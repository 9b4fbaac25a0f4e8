"""Notes which lines of some files a call runs.

Two trainings that run the same lines of an edited file are changed alike by the edit.
"""

import inspect
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import Any

Lines = frozenset[tuple[str, int]]  # file, line


def lines_run(call: Callable[[], object], files: Collection[Path]) -> Lines:
    """Runs a call and notes which lines of some files this thread runs meanwhile.

    Args:
        call: the function to run.
        files: the files whose lines are noted.
    """
    watched = {str(file.resolve()) for file in files}
    found: set[tuple[str, int]] = set()

    def enter(frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        code = frame.f_code
        # Lines of modules and classes are left out: they run only once, at the first import.
        in_function = code.co_flags & inspect.CO_OPTIMIZED
        return step if in_function and code.co_filename in watched else None

    def step(frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
        found.add((frame.f_code.co_filename, frame.f_lineno))
        return step

    before = sys.gettrace()
    sys.settrace(enter)
    try:
        call()
    finally:
        sys.settrace(before)
    return frozenset(found)
