"""The state of an unfinished training on disk.

It lies outside every rule's outputs. A lock keeps a second process out. A key ties the state to the
configuration, code and data that it belongs to.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from tips.checkpoints import DAMAGE
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
        self._file = folder / "state.pt"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the folder for this process. Raises LockError if another one trains there."""
        with alone(self.folder / "lock", f"trains in {self.folder}"):
            yield

    def load(self) -> dict[str, Any] | None:
        """Reads the state. If none has this key, it clears the folder and returns None.

        Lines of the journal that belong to steps after the state are dropped.
        """
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
        save_tensors({**state, "key": self.key}, self._file)

    def log(self, line: dict[str, Any]) -> None:
        """Appends one line to the journal."""
        with self.journal.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, sort_keys=True) + "\n")

    def clear(self) -> None:
        """Removes state and journal of a finished run; the lock stays."""
        self._file.unlink(missing_ok=True)
        self.journal.unlink(missing_ok=True)

    def _read(self) -> dict[str, Any] | None:
        if not self._file.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(self._file, map_location="cpu", weights_only=True)
        except DAMAGE:
            log.warning("%s is damaged: starting anew", self._file)
            return None
        return state

    def _cut_journal(self, step: int) -> None:
        """Drops the journal's lines of steps that will be run again."""
        if not self.journal.is_file():
            return
        lines = self.journal.read_text(encoding="utf-8").splitlines(keepends=True)
        # The last line has no end if the process was killed while it wrote it.
        whole = [line for line in lines if line.endswith("\n")]
        with atomic_path(self.journal) as temporary:
            kept = "".join(line for line in whole if json.loads(line)["step"] < step)
            temporary.write_text(kept, encoding="utf-8")


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
