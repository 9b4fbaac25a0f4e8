"""The shape of the code: who imports whom, how long things are, where torch may come in."""

import ast
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tips"
FILES = sorted(PACKAGE.rglob("*.py"))
# Row of every module or folder of tips/: imports go to a lower row (a larger number) or stay in
# the own folder. Within the last two rows paths and provenance stand above config and records.
ROWS = {
    "__main__": 0,
    "stages": 1,
    "build": 2,
    "reporting": 2,
    "training": 3,
    "evaluation": 3,
    "video": 3,
    "peers": 3,
    "models": 4,
    "losses": 4,
    "data": 4,
    "mocap": 4,
    "interim": 4,
    "ops": 5,
    "tensors": 6,
    "made": 7,
    "paths": 7,
    "provenance": 7,
    "config": 8,
    "records": 8,
    "code": 8,
    "skeleton": 9,
    "symbols": 9,
    "syntax": 10,
    "csource": 10,
}
FILE_LINES, FUNCTION_LINES = 400, 60
WITHOUT_TORCH = [
    "tips.config",
    "tips.records",
    "tips.skeleton",
    "tips.made",
    "tips.paths",
    "tips.provenance",
    "tips.code",
    *(f"tips.stages.{name}" for name in ("tabulate", "report", "evaluate", "track")),
    *(f"tips.stages.{name}" for name in ("evaluate_files", "export", "bench_evaluation")),
    "tips.stages.tabulate_peers",
    *(
        f"tips.{folder}.{path.stem}"
        for folder in ("evaluation", "reporting")
        for path in sorted((PACKAGE / folder).glob("*.py"))
        if path.stem != "__init__"
    ),
]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in FILES}


def imports(path: Path) -> set[str]:
    """Modules of tips that a file imports, wherever the import stands."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            name = node.module or ""
            inner = {f"{name}.{alias.name}" for alias in node.names}
            found |= {one if one in MODULES else name for one in inner}
    return {name for name in found if name.split(".")[0] == "tips"} - {"tips"}


def part(name: str) -> str:
    return name.split(".")[1]


def names(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_part_has_a_row() -> None:
    assert {part(name) for name in MODULES if "." in name} == set(ROWS)


@pytest.mark.parametrize("path", FILES, ids=names)
def test_imports_go_down_or_stay_in_the_folder(path: Path) -> None:
    name = module(path)
    if name == "tips":
        assert not imports(path)
        return
    upward = {
        other
        for other in imports(path)
        if part(other) != part(name) and ROWS[part(other)] <= ROWS[part(name)]
    }
    assert not upward, f"{names(path)} imports {sorted(upward)}, which stand no lower"


def test_no_import_goes_in_a_circle() -> None:
    graph = {name: imports(path) - {name} for name, path in MODULES.items()}
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("path", FILES, ids=names)
def test_files_and_functions_are_short(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= FILE_LINES
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.end_lineno is not None
        if node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }
    assert not long, f"{names(path)}: more than {FUNCTION_LINES} lines in {long}"


def forwards() -> dict[str, ast.FunctionDef]:
    return {
        f"{names(path)}:{node.lineno}": node
        for path in FILES
        if module(path).startswith("tips.models")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name == "forward"
    }


@pytest.mark.parametrize("where", forwards())
def test_no_forward_decides_anything(where: str) -> None:
    """Absent parts are null objects, so nothing in tips/models/ asks what is configured."""
    function = forwards()[where]
    kinds = (ast.If, ast.IfExp, ast.Match, ast.Try)
    assert not [node.lineno for node in ast.walk(function) if isinstance(node, kinds)], where
    statements = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    assert statements <= 15, where


def test_annotations_are_real_objects() -> None:
    """A shape in a string annotation would never be checked."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "from __future__ import annotations" not in text, names(path)


def test_reading_results_needs_no_torch() -> None:
    code = "\n".join(
        [
            "import importlib, sys",
            f"for name in {WITHOUT_TORCH!r}:",
            "    importlib.import_module(name)",
            "    assert 'torch' not in sys.modules, name",
        ]
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
