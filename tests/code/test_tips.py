"""What tips itself uses: edits of a copy, what is really imported, what is really called."""

import ast
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import CodeType, FrameType

import fake_study
import pytest
import tiny_study

from tips import code, kinds
from tips.config import load_study
from tips.stages import evaluate, tabulate, train

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tips"
RULES = "".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
# Stages that rules run; nothing is made again for the code of the others.
STAGES = sorted(
    {one.replace("-", "_") for one in re.findall(r'"(?:study|stage) ([a-z-]+) ', RULES)}
)
LIGHT = ("doctor", "evaluate", "tabulate", "bodies", "export", "unpack")
HEAVY = ("train", "predict_video")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copy")
    for name in ("tips", "csrc"):
        ignored = shutil.ignore_patterns("__pycache__", "build")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder / "tips"


@pytest.fixture
def edit(copy: Path) -> Callable[..., list[str]]:
    """Edits a file, lists what counts differently from some roots, and takes the edit back."""

    def change(file: str, old: str, new: str, *roots: str) -> list[str]:
        path = copy / file
        before, status = path.read_text(), path.stat()
        assert old in before
        then = code.used(*roots, package=copy)
        path.write_text(before.replace(old, new))
        os.utime(path, ns=(status.st_mtime_ns + 10**9, status.st_mtime_ns + 10**9))
        try:
            return code.changed(then, code.used(*roots, package=copy))
        finally:
            path.write_text(before)
            os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))

    return change


TRAIN, EVALUATE = "tips.stages.train", "tips.stages.evaluate"
# Whoever reads a study imports the settings of its kinds by computed names; what they hold then is
# in the configuration.
SETTINGS = [
    f"{home}.settings" for family in kinds.FAMILIES for home in kinds.homes(family).values()
]
NETWORKS = [f"tips.models.{name}.network" for name in ("tips", "encoders.transformer")]


def test_a_copy_of_the_package_counts_the_same(copy: Path) -> None:
    assert code.used(TRAIN, package=copy) == code.used(TRAIN)
    assert code.fingerprint(TRAIN, EVALUATE) == code.fingerprint(EVALUATE, TRAIN)


def test_the_metric_is_of_the_evaluation_and_the_seed_of_the_training(edit: Callable) -> None:
    sigma = ("skeleton.py", '"hip": 0.107', '"hip": 0.108')
    assert edit(*sigma, EVALUATE) == ["skeleton.py"]
    assert edit(*sigma, TRAIN) == []
    seed = ("training/job.py", "torch.manual_seed(drawn)", "torch.manual_seed(drawn + 1)")
    assert edit(*seed, TRAIN) == ["training/job.py"]
    assert edit(*seed, EVALUATE) == []


def test_a_new_place_for_files_trains_nothing_anew(edit: Callable) -> None:
    added = "    @property\n    def novel(self) -> Path:\n        return self.data\n\n"
    start = "    @property\n    def data("
    assert {"train", "predict", "evaluate", "mean_pose", "tabulate", "report"} <= {*STAGES}
    for stage in STAGES:
        assert edit("paths.py", start, added + start, f"tips.stages.{stage}") == [], stage
    moved = ("paths.py", '/ "checkpoint.pt"', '/ "weights.pt"')
    assert edit(*moved, TRAIN) == ["paths.py"]


def test_motions_are_of_the_bodies_and_kernels_of_the_training(edit: Callable) -> None:
    motion = ("mocap/motion.py", "for row in rows], axis=-2", "for row in rows], axis=-1")
    assert edit(*motion, "tips.stages.bodies") == ["mocap/motion.py"]
    assert edit(*motion, "tips.stages.render") == ["mocap/motion.py"]
    assert edit(*motion, TRAIN) == []
    assert edit("../csrc/taps.h", "\n#include", "\n// why\n#include", TRAIN, *NETWORKS) == []
    taps = ("../csrc/taps.h", "\n#include <cstdint>", "\n#include <cstdlib>")
    assert edit(*taps, TRAIN, *NETWORKS) == ["csrc/taps.h"]
    assert edit(*taps, TRAIN) == []
    assert edit(*taps, EVALUATE) == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", [*LIGHT, *HEAVY])
def test_nothing_is_imported_unseen(stage: str) -> None:
    program = (
        f"import sys, tips.stages.{stage}\n"
        "print(*(name for name in sys.modules if name.split('.')[0] == 'tips'))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert f"tips.stages.{stage}" in loaded
    assert not loaded - code.modules(f"tips.stages.{stage}", *SETTINGS)


def called(run: Callable[[], object]) -> set[tuple[str, str]]:
    """Definitions and members of tips whose code runs."""
    seen: set[CodeType] = set()
    start = f"{PACKAGE}{os.sep}"

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(start):
            seen.add(frame.f_code)

    threading.setprofile(note)  # of threads yet to start
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
    return {found for one in seen for found in places(one)}


def places(one: CodeType) -> set[tuple[str, str]]:
    """The definition that some code stands in, and the method of its class."""
    path = Path(one.co_filename)
    parts = ("tips", *path.relative_to(PACKAGE).with_suffix("").parts)
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    found = set()
    for node in ast.parse(path.read_text()).body:
        for inner in (node, *(node.body if isinstance(node, ast.ClassDef) else ())):
            if isinstance(inner, ast.FunctionDef | ast.ClassDef) and stands_in(one, inner):
                name = node.name if inner is node else f"{node.name}.{inner.name}"
                found.add((module, name))
    return found


def stands_in(one: CodeType, node: ast.FunctionDef | ast.ClassDef) -> bool:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return first <= one.co_firstlineno <= (node.end_lineno or first)


@pytest.mark.slow
def test_nothing_is_called_unseen_when_results_become_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fake_study.build(tmp_path)
    scored = called(lambda: evaluate.run("tips", 1, scale=fake_study.SCALE))
    assert {(EVALUATE, "run"), ("tips.paths", "Paths.metrics")} <= scored
    assert len(scored) > 80
    assert not scored - code.definitions(EVALUATE, parts=SETTINGS)
    assert scored - code.definitions("tips.stages.export")  # the comparison can fail
    listed = called(lambda: tabulate.run(fake_study.SCALE))
    assert ("tips.stages.tabulate", "run") in listed
    assert not listed - code.definitions("tips.stages.tabulate", parts=SETTINGS)


@pytest.mark.slow
def test_nothing_is_called_unseen_in_a_training(tmp_path: Path) -> None:
    tiny_study.write(tmp_path)
    with tiny_study.prepared(tmp_path):
        variants = ("hrnet", "tips")
        study = {"scale": tiny_study.SCALE, "root": tiny_study.ROOT}
        trained = called(lambda: [train.run(variant, **study) for variant in variants])
        found = load_study(tiny_study.SCALE, Path("experiments"), tiny_study.ROOT).variants
    assert ("tips.training.loop", "fit") in trained
    assert len(trained) > 150
    parts = {part for name in variants for part in found[name].experiment.modules()}
    assert not trained - code.definitions(TRAIN, parts={*parts, *SETTINGS})
    assert trained - code.definitions(
        TRAIN, parts=SETTINGS
    )  # networks are imported by computed names
