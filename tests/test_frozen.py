"""Jobs run the code that their study was started with, whatever is edited meanwhile."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tips import frozen, provenance

SAYS = "import tips, tips.told; print(tips.told.WORDS, tips.__file__)"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    for name in ("tips/__init__.py", "csrc/a.cpp", "workflow/Snakefile", "tips/__pycache__/x.pyc"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "tips/told.py").write_text("WORDS = 'as it was'")
    (tmp_path / "csrc/build/1").mkdir(parents=True)
    (tmp_path / "csrc/build/1/made.so").write_text("compiled")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_copy_runs_whatever_the_project_becomes(project: Path) -> None:
    copy = frozen.freeze()
    (project / "tips/told.py").write_text("WORDS = 'edited'")
    done = subprocess.run(
        [sys.executable, "-c", SAYS],
        env=frozen.environment(copy),
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["as", "it", "was", str(copy / "tips/__init__.py")]
    assert (copy / "csrc/build/1/made.so").read_text() == "compiled"
    assert not (copy / "tips/__pycache__/x.pyc").exists()


def test_the_same_code_has_one_copy_and_other_code_replaces_it(project: Path) -> None:
    first = frozen.freeze()
    assert frozen.freeze() == first
    (project / "tips/told.py").write_text("WORDS = 'edited'")
    second = frozen.freeze()
    assert second != first
    assert [one.resolve() for one in frozen.COPIES.iterdir()] == [second]
    assert (project / "csrc/build/1/made.so").is_file()


def test_a_copy_knows_its_commit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = provenance.Checkout("0" * 40, True, "a difference")
    monkeypatch.setattr(provenance, "checkout", lambda: known)
    copy = frozen.freeze()
    monkeypatch.undo()
    monkeypatch.setattr(provenance, "PACKAGE", copy / "tips")
    assert provenance.checkout() == known
    assert json.loads((copy / provenance.FROZEN).read_text())["commit"] == "0" * 40
    assert os.environ.get("PYTHONSAFEPATH") is None
