"""Jobs run the code that their study was started with, whatever is edited meanwhile."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tips import frozen, provenance

REPOSITORY = Path(__file__).parents[1]
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
    with monkeypatch.context() as patched:
        patched.setattr(provenance, "checkout", lambda: known)
        copy = frozen.freeze()
    monkeypatch.setattr(provenance, "PACKAGE", copy / "tips")
    assert provenance.checkout() == known
    assert json.loads((copy / provenance.FROZEN).read_text())["commit"] == "0" * 40
    assert os.environ.get("PYTHONSAFEPATH") is None


def test_a_job_says_so_if_the_configuration_was_edited_meanwhile(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = project / "experiments/own.yaml"
    own.parent.mkdir()
    own.write_text("a: 1")
    before = frozen.freeze()
    known = provenance.checkout()
    with monkeypatch.context() as patched:
        patched.setattr(provenance, "PACKAGE", before / "tips")
        assert provenance.checkout() == known
        own.write_text("a: 2")
        found = provenance.checkout()
    assert (found.commit, found.dirty, found.diff) == (known.commit, None, "")
    assert "experiments/ was edited" in found.reason
    assert frozen.freeze() != before


def test_a_copy_has_what_a_report_reads_of_the_project(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)
    held = {*frozen._files()}
    text = "".join(file.read_text() for file in Path("tips/reporting").glob("*.py"))
    read = {Path(name) for name in re.findall(r'PROJECT / "([^"]+)"', text)}
    assert read
    assert {one for one in read if one not in held and not one.is_dir()} == set()
