"""README's lines for a cluster work as they are printed, up to the jobs themselves."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from finished_study import CODE, REPOSITORY

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
SECTION = README.split("### On a cluster")[1].split("\n## ")[0]
(BLOCK,) = re.findall(r"```\n(.*?)```", SECTION, re.DOTALL)
LINES = [shlex.split(line, comments=True) for line in BLOCK.splitlines()]
VENV = Path(sys.prefix)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone")
    for name in (*CODE, "Makefile"):
        one = REPOSITORY / name
        if one.is_dir():
            shutil.copytree(one, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(one, folder / name)
    return folder


def result(clone: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=clone, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_dry_run_shows_what_would_run(clone: Path) -> None:
    (dry,) = (line for line in LINES if "ARGS=-n" in line)
    assert [word for word in dry if word != "ARGS=-n"] in LINES
    own = [f"TIPS_VENV={VENV}", "-o", f"{VENV}/installed"]  # this environment, as it is
    done = result(clone, [*dry, *own])
    assert done.returncode == 0, done.stderr[-2000:]
    assert re.search(r"^train +\d\d", done.stdout + done.stderr, re.MULTILINE)
    assert "not present" not in done.stderr
    assert not (clone / "reports").exists()


@pytest.mark.slow
def test_the_plan_lays_trainings_on_cards(clone: Path) -> None:
    (plan,) = (line for line in LINES if line[:2] == ["tips", "plan"])
    done = result(clone, [sys.executable, "-m", *plan])
    assert done.returncode == 0, done.stderr
    assert "8 cards" in done.stdout
