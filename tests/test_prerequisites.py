"""What `make` asks of the system before it downloads anything."""

import ctypes
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tips import prerequisites

ROOT = Path(__file__).parents[1]


def no_library(name: str) -> Any:
    raise OSError(name)


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 14), (4, 0)])
def test_another_python_is_refused(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int]
) -> None:
    monkeypatch.setattr(sys, "version_info", (*version, 1))
    told = prerequisites.missing()
    assert told.startswith(f"this is Python {version[0]}.{version[1]}, and requirements.lock")
    assert "make PYTHON=python3." in told


def test_this_python_serves_and_lacks_nothing_that_it_has() -> None:
    assert "Python" not in prerequisites.missing()


def test_without_venv_or_libx11(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ctypes, "CDLL", no_library)
        assert prerequisites.missing().startswith("libX11 is missing")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert prerequisites.missing() == (
        "Python has no venv: apt install python3-venv, or the like of your system"
    )


@pytest.mark.parametrize("variable", ["HOME", "XDG_CACHE_HOME"])
def test_a_cache_folder_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "here"))
    assert prerequisites.unwritable_cache() == ""
    monkeypatch.setenv(variable, "/proc/none")
    assert "XDG_CACHE_HOME=/tmp/cache make" in prerequisites.unwritable_cache()


def test_make_says_so_in_one_line_before_it_downloads_anything(tmp_path: Path) -> None:
    """A Python that only pretends to be 3.14 stands for a real one."""
    (tmp_path / "requirements.lock").write_text("")
    (tmp_path / "tips").mkdir()
    for name in ("Makefile", "tips/prerequisites.py"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    python = tmp_path / "python3.14"
    old = "import sys; sys.version_info = (3, 14, 0)\nfile = sys.argv[1]\n"
    run = "exec(compile(open(file).read(), file, 'exec'))"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{old}{run}" "$@"\n')
    python.chmod(0o755)
    shown = subprocess.run(
        ["make", "reproduce", f"PYTHON={python}"],
        cwd=tmp_path,
        env=os.environ | {"PIP_NO_INDEX": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 2
    (line,) = [one for one in shown.stderr.splitlines() if one.startswith("error: ")]
    assert re.match(r"error: this is Python 3\.14, and requirements\.lock serves 3\.11 to", line)
    assert not (tmp_path / ".venv").exists()
