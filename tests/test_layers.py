"""The shape of the code: who imports whom, how long things are, where torch may come in."""

import ast
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tips import kinds

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tips"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
# Row of every module or folder of tips/: imports go to a lower row (a larger number) or stay in
# the own folder.
ROWS = {
    "__main__": -2,
    "verbs": -1,
    "options": 8,
    "stages": 0,
    "comparison": 1,
    "pictures": 2,
    "planning": 2,
    "reporting": 2,
    "tracking": 2,
    "bench": 3,
    "inference": 3,
    "entering": 2,
    "merging": 3,
    "placed": 2,
    "video": 3,
    "archive": 3,
    "tables": 4,
    "training": 4,
    "chain": 5,
    "evaluation": 5,
    "features": 5,
    "peers": 5,
    "build": 6,
    "data": 6,
    "freshness": 6,
    "frozen": 6,
    "mocap": 6,
    "proofs": 6,
    "code": 7,
    "criterion": 7,
    "instances": 7,
    "interim": 7,
    "kept": 7,
    "provenance": 7,
    "csource": 8,
    "device": 8,
    "losses": 8,
    "models": 8,
    "opened": 8,
    "symbols": 8,
    "checkpoints": 9,
    "made": 9,
    "ops": 9,
    "outputs": 9,
    "paths": 9,
    "syntax": 9,
    "terms": 9,
    "config": 10,
    "records": 10,
    "tensors": 10,
    "afterwards": 11,
    "aside": 11,
    "coverage": 11,
    "kinds": 11,
    "leases": 12,
    "locks": 11,
    "messages": 11,
    "prerequisites": 11,
    "queued": 12,
    "for_snakemake": 2,
    "noted": 12,
    "pickles": 11,
    "progress": 11,
    "safe_text": 11,
    "skeleton": 11,
    "streams": 11,
    "temporaries": 11,
}
FILE_LINES, FUNCTION_LINES = 400, 60
STAGES = [
    path.stem for path in sorted((PACKAGE / "stages").glob("*.py")) if path.stem != "__init__"
]
# Stages that compute with torch. Every other one is light, a new one too.
WITH_TORCH = {
    *("bench", "bench_inference", "bench_training", "cost", "detect", "doctor", "features"),
    *("bench_features", "gradients", "interpolate"),
    *("kernels", "peer", "pictures", "predict", "predict_video", "recheck", "show", "speed"),
    *("train", "vfit"),
}
WITHOUT_TORCH = [
    *("tips.config", "tips.records", "tips.skeleton", "tips.made", "tips.paths", "tips.provenance"),
    *("tips.code", "tips.kinds", "tips.freshness", "tips.chain", "tips.proofs", "tips.opened"),
    *("tips.instances", "tips.placed", "tips.progress", "tips.coverage", "tips.safe_text"),
    *(f"tips.stages.{name}" for name in STAGES if name not in WITH_TORCH),
    *(
        f"tips.{folder}.{path.stem}"
        for folder in (*("archive", "comparison", "evaluation", "reporting", "tables", "tracking"),)
        for path in sorted((PACKAGE / folder).glob("*.py"))
        if path.stem != "__init__"
    ),
]
MEAN_POSE_LOADS = 33  # modules of tips, packages among them
# Files that every kind has, and names of which two stand apart; the latter shall not grow.
OF_KINDS = {"settings", "network", "losses", "generator"}
TWICE = {"boxes", "cost", "download", "heatmap", "kinds", "layers"}
# What a stage computes or writes with, under the stage's own name.
AS_A_STAGE = {
    *(
        "bench_inference",
        "cost",
        "gradients",
        "fetch",
        "power",
        "render",
        "report",
        "schemas",
        "speed",
    )
}


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


def strangers(path: Path) -> set[str]:
    """What a file imports from elsewhere: the first part of each name."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found - {"tips"} - sys.stdlib_module_names


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
def test_no_stage_is_a_library(path: Path) -> None:
    """Only the command line loads them; what two of them share lies in a room of its own."""
    name = module(path)
    if name == "tips.__main__" or name.startswith("tips.verbs."):
        return
    found = {other for other in imports(path) if other.startswith("tips.stages")}
    assert not found, f"{names(path)} imports {sorted(found)}"


@pytest.mark.parametrize("stage", STAGES)
def test_a_file_of_stages_is_a_stage(stage: str) -> None:
    defined = [
        node.name
        for node in tree(PACKAGE / f"stages/{stage}.py").body
        if isinstance(node, ast.FunctionDef)
    ]
    assert not stage.startswith("_")
    assert defined.count("run") == 1


def test_no_two_modules_have_the_same_name() -> None:
    """Except for what every kind has, and for a stage and the file that is its library."""
    stems = [path.stem for path in FILES if path.parent.name != "stages"]
    twice = {stem for stem in stems if stems.count(stem) > 1} - OF_KINDS - {"__init__"}
    assert twice == TWICE
    assert {*stems} & {*STAGES} == AS_A_STAGE


SETTINGS = {name: path for name, path in MODULES.items() if name.endswith("settings")}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_light(name: str) -> None:
    """They are read before anything is computed: configuration and what lies below it, no more."""
    above = {
        one
        for one in imports(SETTINGS[name])
        if ROWS[part(one)] < ROWS["config"] and one not in SETTINGS
    }
    assert not above
    assert strangers(SETTINGS[name]) <= {"pydantic"}


def test_every_kind_has_settings_and_they_are_checked_here() -> None:
    homes = {home for family in kinds.FAMILIES for home in kinds.homes(family).values()}
    found = {f"{home}.settings" for home in homes}
    assert found < set(SETTINGS)
    assert {name.rpartition(".")[2] for name in set(SETTINGS) - found} == {
        "shared_settings",
        "timm_settings",
    }


@pytest.mark.parametrize("path", [*FILES, *TESTS], ids=names)
def test_files_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", FILES, ids=names)
def test_functions_are_short(path: Path) -> None:
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
        if part(f"{module(path)}.") in ("models", "interim", "losses")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name == "forward"
    }


@pytest.mark.parametrize("where", forwards())
def test_no_forward_decides_anything(where: str) -> None:
    """Absent parts are null objects, so no network and no loss asks what is configured."""
    function = forwards()[where]
    choices = (ast.If, ast.IfExp, ast.Match, ast.Try)
    assert not [node.lineno for node in ast.walk(function) if isinstance(node, choices)], where
    statements = sum(isinstance(node, ast.stmt) for node in ast.walk(function)) - 1
    assert statements <= 15, where


def test_annotations_are_real_objects() -> None:
    """A shape in a string annotation would never be checked."""
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "from __future__ import annotations" not in text, names(path)


def test_every_annotated_shape_is_checked_in_tests() -> None:
    """The packages that pyproject.toml lists for jaxtyping hold all networks, losses and ops."""
    text = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    options = text["tool"]["pytest"]["ini_options"]["addopts"]
    (listed,) = (one for one in options if one.startswith("--jaxtyping-packages="))
    *packages, _ = listed.partition("=")[2].split(",")
    computing = ("models", "losses", "interim", "ops", "tensors", "terms")
    users = {
        name
        for name, path in MODULES.items()
        if part(f"{name}.") in computing and "jaxtyping" in strangers(path)
    }
    assert {part(name) for name in users} == set(computing)
    unchecked = [one for one in users if not any(f"{one}.".startswith(f"{p}.") for p in packages)]
    assert not unchecked


def test_the_heavy_stages_are_stages() -> None:
    assert WITH_TORCH < set(STAGES)


def test_the_predictor_without_a_network_loads_none() -> None:
    code = (
        "import sys, tips.stages.mean_pose; "
        "print(*(name for name in sys.modules if name.split('.')[0] == 'tips'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = done.stdout.split()
    rooms = {part(name) for name in loaded if "." in name}
    assert not rooms & {"models", "training", "inference", "build"}
    assert len(loaded) <= MEAN_POSE_LOADS, loaded


def test_what_reads_records_and_the_light_stages_need_no_torch() -> None:
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
