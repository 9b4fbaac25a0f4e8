"""A new kind is new files alone: every model can use it, and no other training changes.

The kinds are the worked examples of CONTRIBUTING.md.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from blocks import blocks, commands, copy_to, put, python

from tips import kinds

ROOT = Path(__file__).parents[1]
SIDE = 64  # of the smoke scale's crops

# What every committed training is told, and the code that it depends on; needs no torch.
SNAPSHOT = """
import json
from pathlib import Path
from tips.config import load_study
from tips.freshness import training_code, training_digest
study = load_study("smoke", Path("experiments"))
print(json.dumps({
    name: [training_digest(one.experiment, study.scale), training_code(one.experiment, study.scale)]
    for name, one in study.variants.items()
}))
"""
# One training step of each file of a folder.
STEP = """
import json, sys
from pathlib import Path
import every, tips, torch
from tips.build import build_criterion, build_model
from tips.config import load_experiment, load_scale
from tips.freshness import training_code
from tips.criterion import forward_pass
assert Path(tips.__file__).parent == Path.cwd() / "tips"
scale = load_scale("smoke", Path("experiments"))
for file in sorted(Path(sys.argv[1]).glob("*/*.yaml")):
    e = load_experiment(file, scale)
    torch.manual_seed(0)
    model = build_model(e, e.groups()).train()
    criterion = build_criterion(e, model)
    one = forward_pass(model, *every.data(e))
    terms = criterion(one)
    terms["total"].backward()
    trained = [p for p in (*model.parameters(), *criterion.parameters()) if p.requires_grad]
    print(json.dumps({
        "model": e.model,
        "weights": criterion.weights,
        "said": e.weights,
        "terms": {name: value.item() for name, value in terms.items()},
        "maps": list(one.output.maps.shape),
        "trained": any(p.grad is not None and p.grad.any().item() for p in trained),
        "code": list(training_code(e, scale)),
    }))
"""


def run(folder: Path, script: str, *words: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "tests" / "models")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the committed trainings are before anything is added."""
    (found,) = run(copy_to(tmp_path_factory.mktemp("usual")), SNAPSHOT)
    assert len(found) > 40
    return found


def committed(base: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / f"experiments/{base}.yaml").read_text())
    return found


def experiment(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Writes an experiment, and the one that it extends."""
    file = folder / "made-up" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    shutil.copy(ROOT / "experiments/tips.yaml", folder / "made-up")


def learning_kinds() -> set[str]:
    homes = kinds.homes(kinds.MODEL)
    return {kind for kind in homes if kinds.settings(kinds.MODEL, kind).learns}


def bases() -> list[str]:
    """One committed experiment of each kind of model that learns."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "experiments").glob("*/*.yaml")):
        given = yaml.safe_load(file.read_text())
        if given.get("extends") == "../tips.yaml":
            name = f"{file.parent.name}/{file.stem}"
            kind = given.get("model", "tips")
            if kinds.settings(kinds.MODEL, kind).learns:
                found.setdefault(kind, name)
    assert found.keys() == learning_kinds()
    return list(found.values())


def example(name: str) -> dict[str, Any]:
    """An experiment of the guide."""
    found: dict[str, Any] = yaml.safe_load(blocks()[f"experiments/{name}.yaml"])
    return found


def add(title: str, folder: Path, usual: Any) -> Path:
    """Makes a copy with the code of one example, which changes no committed training."""
    copy = copy_to(folder / "copy")
    put(title, copy)
    (found,) = run(copy, SNAPSHOT)
    assert {name: found[name] for name in usual} == usual
    return copy


@pytest.mark.slow
def test_one_file_is_a_variant(tmp_path: Path, usual: Any) -> None:
    copy = add("A variant", tmp_path, usual)
    told = python(copy, *commands("A variant")[0])
    assert "distillation.groups.count: 5 -> 8" in told


@pytest.mark.slow
def test_one_file_is_a_loss_that_every_model_may_weigh(tmp_path: Path, usual: Any) -> None:
    copy = add("A loss", tmp_path, usual)
    for base in bases():
        given = committed(base)
        losses = given.get("losses", {}) | example("ablation/bones")["losses"]
        experiment(copy, base, given | {"losses": losses})
    found = run(copy, STEP, "made-up")
    assert {one["model"] for one in found} == learning_kinds()
    for one in found:
        assert one["weights"] == one["said"]
        assert one["weights"]["bones"] == 0.1
        assert one["terms"]["bones"] > 0
        assert one["trained"]
        assert "losses/bones.py" in one["code"]


@pytest.mark.slow
def test_a_folder_is_a_backbone_of_another_stride(tmp_path: Path, usual: Any) -> None:
    copy = add("A backbone", tmp_path, usual)
    backbone = example("baselines/tiny8")["backbone"]
    assert example("ablation/tips-tiny8")["backbone"] == backbone
    backbone |= {"channels": 8}  # as wide as the smoke scale's, which FAMI-Pose's width follows
    for base in ("baselines/hrnet", "ablation/groups-3", "baselines/fami-pose"):
        experiment(copy, base, committed(base) | {"backbone": backbone})
    found = run(copy, STEP, "made-up")
    assert {one["model"] for one in found} == {"single_frame", "tips", "fami_pose"}
    for one in found:
        assert one["maps"] == [2, 15, SIDE // 8, SIDE // 8]
        assert one["trained"]
        assert "models/backbones/tiny8/network.py" in one["code"]
        assert not [file for file in one["code"] if "hrnet" in file]


@pytest.mark.slow
def test_a_folder_is_a_rival(tmp_path: Path, usual: Any) -> None:
    copy = add("A rival", tmp_path, usual)
    experiment(copy, "baselines/copycat", example("baselines/copycat"))
    (one,) = run(copy, STEP, "made-up")
    assert one["model"] == "copycat"
    assert one["weights"] == {"heatmap": 1.0}
    assert one["trained"]
    assert "models/baselines/copycat/network.py" in one["code"]
    assert not [file for file in one["code"] if file.startswith("models/tips/")]


@pytest.mark.slow
def test_the_examples_pass_the_tests_that_the_guide_names(tmp_path: Path) -> None:
    """All in one process: the commands differ in the files of tests and in the word behind -k."""
    copy = copy_to(tmp_path / "copy")
    files: dict[str, None] = {}
    names = []
    for title in ("A variant", "A loss", "A backbone", "A rival"):
        put(title, copy)
        for _, tool, *words in commands(title):
            if tool == "pytest":
                files |= {word: None for word in words if word.endswith(".py")}
                names += words[words.index("-k") + 1 :] if "-k" in words else []
    assert len(names) == 4
    told = python(copy, "-m", "pytest", "-rA", *files, "-k", " or ".join(names))
    for name in names:
        assert f"[{name}]" in told
    assert python(copy, "-m", "ruff", "check", ".")
    assert python(copy, "-m", "ruff", "format", "--check", ".")
