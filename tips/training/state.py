"""Training state on disk: outside every rule's outputs, locked, keyed by what it belongs to."""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tips.records import RecordError, atomic_path

log = logging.getLogger(__name__)


class StateFolder:
    """One run's state: `state.pt`, the journal of its losses, a lock.

    Args:
        folder: where it lies.
        key: digest of configuration, code and data; a state with another key is discarded.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.folder = folder
        self.key = key
        self.journal = folder / "journal.jsonl"
        self._file = folder / "state.pt"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process. Raises RecordError if another one trains there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                raise RecordError(
                    f"{self.folder}: process {lock.read().strip() or '?'} is training here; "
                    "wait for it or end it, then run again"
                ) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            yield

    def load(self) -> dict[str, Any] | None:
        """Reads the state; None, and a clean journal, if there is none that fits."""
        state = self._read()
        if state is None or state.get("key") != self.key:
            if state is not None:
                log.info("state of another configuration, code or data: starting anew")
            self._file.unlink(missing_ok=True)
            self.journal.unlink(missing_ok=True)
            return None
        self._cut_journal(int(state["step"]))
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Writes the state atomically."""
        with atomic_path(self._file) as temporary:
            torch.save({**state, "key": self.key}, temporary)

    def log(self, line: dict[str, Any]) -> None:
        """Appends one line to the journal."""
        with self.journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")

    def clear(self) -> None:
        """Removes the state of a finished run; the lock stays."""
        self._file.unlink(missing_ok=True)
        self.journal.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        if not self._file.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self._file, map_location="cpu", weights_only=True)
        except (RuntimeError, EOFError, ValueError):
            log.warning("%s is damaged: starting anew", self._file)
            return None
        return state

    def _cut_journal(self, step: int) -> None:
        """Drops lines of steps that will be run again."""
        if not self.journal.is_file():
            return
        lines = self.journal.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] < step]
        with atomic_path(self.journal) as temporary:
            temporary.write_text("".join(line + "\n" for line in kept), encoding="utf-8")
