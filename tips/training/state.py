"""The state of an unfinished training on disk.

It lies outside every rule's outputs. A lock keeps a second process out. A key ties the state to the
configuration, code and data that it belongs to.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tips.aside import set_aside
from tips.checkpoints import DamagedError, load_tensors
from tips.locks import alone
from tips.records import atomic_path

log = logging.getLogger(__name__)


class StateFolder:
    """The state of one run: `state.pt`, the journal of its losses, and a lock.

    Args:
        folder: folder of these files.
        key: digest of configuration, code and data; a state with another key is discarded.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key
        self.journal = folder / "journal.jsonl"
        self.file = folder / "state.pt"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process. Raises LockError if another one trains there."""
        with alone(self.folder / "lock", f"trains in {self.folder}"):
            yield

    def load(self) -> dict[str, Any] | None:
        """Reads the state. If none has this key, it clears the folder and returns None.

        Lines of the journal that belong to steps after the state are dropped.

        Raises:
            OSError: if the state cannot be read; nothing is changed then.
        """
        state = self._read()
        if state is None or state.get("key") != self.key:
            if state is not None:
                log.info("state of another configuration, code or data: starting anew")
            self.file.unlink(missing_ok=True)
            self.journal.unlink(missing_ok=True)
            return None
        self._cut_journal(int(state["step"]))
        return state

    def peek(self) -> dict[str, Any] | None:
        """Reads the state that another process has loaded, and changes nothing."""
        state = load_tensors(self.file)
        return dict(state) if _is_state(state) and state["key"] == self.key else None

    def save(self, state: dict[str, Any]) -> None:
        """Writes the state atomically."""
        save_tensors({**state, "key": self.key}, self.file)

    def log(self, line: dict[str, Any]) -> None:
        """Appends one line to the journal."""
        with self.journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")

    def clear(self) -> None:
        """Removes state and journal of a finished run; the lock stays."""
        self.file.unlink(missing_ok=True)
        self.journal.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        """Reads the state; None if there is none. A damaged one is set aside with its journal.

        A state that cannot be read raises OSError and stays where it is: it may be whole.
        """
        if not os.path.lexists(self.file):
            return None
        try:
            state = load_tensors(self.file)
            if not _is_state(state):
                raise DamagedError(f"{self.file}: not the state of a training")
        except DamagedError:
            folder = set_aside(self.folder, self.file, self.journal)
            log.warning("%s is damaged: moved to %s, starting anew", self.file, folder)
            return None
        return dict(state)

    def _cut_journal(self, step: int) -> None:
        """Drops the journal's lines of steps that will be run again."""
        if not self.journal.is_file():
            return
        text = self.journal.read_text(encoding="utf-8", errors="replace")
        # The last line has no end if the process was killed while it wrote it.
        whole = [line for line in text.splitlines(keepends=True) if line.endswith("\n")]
        steps = [_step(line) for line in whole]
        if None in steps:
            folder = set_aside(self.folder, self.journal)
            log.warning("%s has damaged lines: moved to %s, whole lines kept", self.journal, folder)
        pairs = zip(whole, steps, strict=True)
        with atomic_path(self.journal) as temporary:
            kept = "".join(line for line, n in pairs if n is not None and n < step)
            temporary.write_text(kept, encoding="utf-8")


def _step(line: str) -> int | None:
    """Reads the step of a line of the journal; None if the line is damaged."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    step = found.get("step") if isinstance(found, dict) else None
    return step if isinstance(step, int) else None


def _is_state(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("key"), str)
        and isinstance(value.get("step"), int)
    )


def save_tensors(value: dict[str, Any], path: Path) -> None:
    """Writes a file of tensors atomically. Raises OSError, also if the disk is full."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        try:
            torch.save(value, stream)
        except RuntimeError as error:
            # torch reports a failed write as an error of its own archive; the OSError behind it
            # says what happened.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
