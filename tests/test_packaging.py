"""requirements.lock, environment.yml, pyproject.toml, Makefile and hooks say the same."""

import re
import subprocess
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from tips import prerequisites

ROOT = Path(__file__).parents[1]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PINS = [
    Requirement(line.removesuffix(" \\"))
    for line in LOCK.splitlines()
    if line and not line.startswith(("#", " "))
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
HOOKS = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
TARGETS = "help reproduce test test-full lint types smoke ui mlflow clean".split()


def pinned() -> dict[str, str]:
    """Canonical name -> exact version."""
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in PINS}


def needed(part: str) -> list[Requirement]:
    project = PROJECT["project"]
    lines = project["dependencies"] if part == "run" else project["optional-dependencies"][part]
    return [Requirement(line) for line in lines]


def test_lock_is_exact_sorted_and_free_of_places() -> None:
    for pin in PINS:
        assert re.fullmatch(r"==[0-9][\w.!+]*", str(pin.specifier)), pin
        assert pin.url is None
    names = [pin.name.lower() for pin in PINS]
    assert names == sorted(set(names))
    assert "://" not in LOCK
    assert "@" not in LOCK
    assert not re.search(r"^-", LOCK, re.MULTILINE)


def test_every_package_has_digests_of_its_files() -> None:
    packages = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert len(packages) == len(PINS)
    for package in packages:
        first, *digests = package.replace(" \\\n", "\n").splitlines()
        assert digests, first
        assert all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}", one) for one in digests), first
    assert "--require-hashes -r requirements.lock" in MAKEFILE


@pytest.mark.parametrize("part", ["run", "dev"])
def test_everything_that_the_package_needs_is_locked(part: str) -> None:
    versions = pinned()
    for requirement in needed(part):
        name = canonicalize_name(requirement.name)
        assert name in versions, f"{name} is in pyproject.toml but not in requirements.lock"
        assert versions[name] in requirement.specifier


def test_build_backend_is_locked() -> None:
    for line in PROJECT["build-system"]["requires"]:
        requirement = Requirement(line)
        assert pinned()[canonicalize_name(requirement.name)] in requirement.specifier


def test_environment_is_the_lock_in_conda_clothes() -> None:
    thin = [entry for entry in CONDA["dependencies"] if isinstance(entry, str)]
    (pip,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    assert pip == ["-r requirements.lock"]
    names = {entry.partition("=")[0] for entry in thin}
    assert {"python", "pip", "make", "cxx-compiler"} <= names
    assert not (names - {"pip"}) & pinned().keys()  # no version stands in two places
    assert CONDA["name"] == PROJECT["project"]["name"]


def test_python_versions_agree() -> None:
    (python,) = [
        entry.partition("=")[2]
        for entry in CONDA["dependencies"]
        if isinstance(entry, str) and entry.startswith("python=")
    ]
    supported = SpecifierSet(PROJECT["project"]["requires-python"])
    assert python in supported
    served = [".".join(map(str, version)) for version in prerequisites.SERVED]
    assert all(version in supported for version in served)
    after = prerequisites.SERVED[1][1] + 1
    assert f"3.{after}" not in supported
    least = PROJECT["tool"]["mypy"]["python_version"]
    assert least == served[0]
    assert least in supported
    assert PROJECT["tool"]["ruff"]["target-version"] == "py" + least.replace(".", "")


def test_opencv_is_the_one_that_needs_no_screen() -> None:
    """The other wheel links libGL, which a plain Debian does not have."""
    names = pinned()
    assert "opencv-python-headless" in names
    assert not {"opencv-python", "opencv-contrib-python"} & set(names)


def test_makefile_has_its_targets_in_few_lines_each() -> None:
    rules = re.findall(r"^([\w./-]+):(?! *=)[^\n]*\n((?:\t[^\n]*\n)*)", MAKEFILE, re.MULTILINE)
    recipes = {name: body.count("\n") for name, body in rules if body}
    assert set(TARGETS) <= set(recipes)
    assert max(recipes.values()) <= 3


@pytest.mark.parametrize("words", [[], ["help"]])
def test_make_without_a_target_tells_what_every_target_does(words: list[str]) -> None:
    command = ["make", "--no-print-directory", *words]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    told = dict(re.findall(r"^make (\S+) +(\S.*)$", shown.stdout, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert set(told) == set(phony.split())


def test_hooks_use_the_tools_of_the_lock() -> None:
    for repository in HOOKS["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            tool = hook["entry"].split()[0]
            scripts = entry_points(group="console_scripts", name=tool)
            owners = {script.dist.name for script in scripts if script.dist} or {tool}
            assert {canonicalize_name(owner) for owner in owners} & pinned().keys(), hook["id"]
