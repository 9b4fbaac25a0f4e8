"""Copies of a finished study for a test to spoil, and records that tell of other code."""

import shutil
from pathlib import Path

import pytest

from tips.records import read_json, write_json


def work_on_copy(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a copy of a study the working folder."""
    shutil.copytree(finished, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    monkeypatch.delenv("TIPS_TRACEBACK", raising=False)


def alter_code(file: Path, name: str, digest: str = "of another version") -> None:
    """Says in a record that one file of the code was another."""
    record = read_json(file)
    assert name in record["code"]
    write_json(record | {"code": record["code"] | {name: digest}}, file)
