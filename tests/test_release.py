"""What a release says of itself: one version, date and licence; and CI calls `.ci/run` alone."""

import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
RELEASES = re.findall(r"^## \[([^]]+)\](?: - (\d{4}-\d\d-\d\d))?$", CHANGELOG, re.MULTILINE)
WORKFLOWS = sorted((ROOT / ".github/workflows").iterdir())


def test_the_newest_release_has_the_version_and_date_of_package_and_citation() -> None:
    (unreleased, no_date), (version, date), *_ = RELEASES
    assert (unreleased, no_date) == ("Unreleased", "")
    assert version == PROJECT["version"] == str(CITATION["version"])
    assert date == CITATION["date-released"]


def test_releases_go_down_in_version_and_date() -> None:
    released = RELEASES[1:]
    assert [version for version, _ in released] == sorted(
        {version for version, _ in released}, key=Version, reverse=True
    )
    assert [date for _, date in released] == sorted((date for _, date in released), reverse=True)


def test_the_citation_is_complete_and_has_no_address() -> None:
    """The keys that version 1.2.0 of the format asks for, of the software and of the paper."""
    assert CITATION["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= CITATION.keys()
    for reference in CITATION["references"]:
        assert {"type", "title", "authors"} <= reference.keys()
    people = [*CITATION["authors"], *(one for r in CITATION["references"] for one in r["authors"])]
    assert all(person.keys() in ({"name"}, {"given-names", "family-names"}) for person in people)
    assert CITATION["license"] == PROJECT["license"]


def test_authors_hold_the_copyright_and_the_paper_is_the_readme_s() -> None:
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
    (author,) = CITATION["authors"]
    assert re.search(rf"^Copyright \(c\) \d+ {re.escape(author['name'])}$", licence, re.MULTILINE)
    (paper,) = CITATION["references"]
    assert f"*{paper['title']}*" in " ".join(README.split())


def workflow(path: Path) -> dict[str, Any]:
    """A workflow; YAML 1.1 reads its key `on` as a truth value."""
    return {str(key): part for key, part in yaml.safe_load(path.read_text()).items()}


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(path)["jobs"].values() for step in job["steps"]]


def using(path: Path, action: str) -> list[dict[str, Any]]:
    return [step for step in steps(path) if step.get("uses", "").startswith(f"{action}@")]


def commands(path: Path) -> list[list[str]]:
    """Every command that a workflow runs, as its words."""
    lines = [line for step in steps(path) for line in step.get("run", "").splitlines()]
    return [shlex.split(one) for line in lines for one in line.split("&&")]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_what_exists_and_may_do_little(path: Path) -> None:
    found = commands(path)
    assert [".ci/run"] in found
    own = [words for words in found if words[0] != "sudo"]
    assert all(os.access(ROOT / words[0], os.X_OK) for words in own), own
    assert all(words[1] == "apt-get" for words in found if words not in own)
    assert workflow(path)["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text()
    for job in workflow(path)["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 360


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_takes_nothing_from_whoever_opens_a_request(path: Path) -> None:
    """Titles and branch names are a stranger's text; such a name could be a command."""
    assert {"True"} == workflow(path).keys() - {"name", "permissions", "jobs"}
    assert set(workflow(path)["True"]) == {"push", "pull_request"}
    assert not [step["run"] for step in steps(path) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_s_actions_are_github_s_own_at_a_major_version(path: Path) -> None:
    used = [step["uses"] for step in steps(path) if "uses" in step]
    assert all(re.fullmatch(r"actions/[a-z-]+@v\d+", one) for one in used), used


def test_ci_has_the_python_and_the_packages_that_the_readme_asks_for() -> None:
    (path,) = WORKFLOWS
    (python,) = [step["with"]["python-version"] for step in using(path, "actions/setup-python")]
    assert python in SpecifierSet(PROJECT["requires-python"])
    (install,) = [words for words in commands(path) if "install" in words]
    packages = {word for word in install[3:] if not word.startswith("-")}
    needed = README.split("## Requirements\n")[1].split("\n\n")[0]
    assert packages
    assert all(re.search(rf"\b{re.escape(name)}(?!\w)", needed) for name in packages)
    assert {name for name in re.findall(r"`(lib[\w-]+)`", needed)} <= packages


def test_ci_keeps_the_report_that_ci_run_makes() -> None:
    (path,) = WORKFLOWS
    (kept,) = [step["with"]["path"] for step in using(path, "actions/upload-artifact")]
    assert f"{kept}/index.html" in (ROOT / ".ci/run").read_text()
