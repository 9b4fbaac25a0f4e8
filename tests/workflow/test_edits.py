"""What an edit of the code marks stale and makes again: exactly what uses it."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from finished_study import REPOSITORY, STUDY, edit, jobs, rules, stale

from tips import freshness, kinds
from tips.config import load_study

pytestmark = pytest.mark.slow

MODELS = "tips/models"
BONES = '''"""A term of one's own."""

from jaxtyping import Float
from torch import Tensor

from tips.terms import Loss, Pass


class BonesLoss(Loss):
    """Squared difference of the maps."""

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Computes it."""
        return (one.output.maps - one.target.maps).square().mean()


def build(experiment: object, model: object) -> BonesLoss:
    """Builds it."""
    return BonesLoss()
'''
VARIANTS = load_study("smoke", REPOSITORY / "experiments").variants
TIPS = {name for name, one in VARIANTS.items() if one.experiment.model == "tips"}
SCALE = load_study("smoke", REPOSITORY / "experiments").scale
ATTENTION = {  # those whose networks run the kernel of deformable attention
    name
    for name, one in VARIANTS.items()
    if "csrc/attention.h" in freshness.training_code(one.experiment, SCALE)
}
ALL = set(VARIANTS)
HOMES = kinds.homes(kinds.MODEL)
RIVALS = {name for name, one in VARIANTS.items() if ".baselines." in HOMES[one.experiment.model]}


PLANNED = ("config/experiment.py", "data/windows.py", "models/heads.py", "training/loop.py")


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_finished_study_is_current(finished: Path) -> None:
    assert not stale(finished)


def test_what_nothing_reaches_means_nothing(copy: Path) -> None:
    """New files, keys at neutral values, comments, log lines, and definitions nobody names."""
    (copy / "tips/losses/bones.py").write_text(BONES)
    edit(copy / "experiments/tips.yaml", "losses: ", "losses:\n  bones: 0.0 ")
    shutil.copytree(copy / f"{MODELS}/backbones/hrnet", copy / f"{MODELS}/backbones/mine")
    edit(copy / f"{MODELS}/backbones/mine/settings.py", '["hrnet"]', '["mine"]')
    for name in ("data/jhmdb", "data/posetrack21", "training/memory", "paths", "records"):
        append(copy / f"tips/{name}.py", "\n\nANOTHER = 1\n")
    for name in ("backbones/vitpose/network", "baselines/dcpose/network", "tips/losses"):
        append(copy / f"{MODELS}/{name}.py", "\n\ndef another() -> None:\n    pass\n")
    append(copy / f"{MODELS}/heads.py", "\n\n# A remark.\n")
    edit(copy / "tips/data/windows.py", '"""', '"""In other words: ')
    edit(
        copy / "tips/paths.py",
        "    @property\n    def peers",
        '    @property\n    def mine(self) -> Path:\n        """Mine."""\n'
        '        return self.results / "mine"\n\n    @property\n    def peers',
    )
    assert not stale(copy)
    assert not jobs(copy)


@pytest.mark.parametrize(
    ("name", "users"),
    [
        ("baselines/dcpose/network.py", {"dcpose"}),
        ("baselines/fami_pose/losses.py", {"fami-pose", "fami-pose-3", "fami-pose-released"}),
        ("encoders/conv/network.py", {"conv-conv", "conv-distillation", "conv-synthesis"}),
        ("backbones/hrnet_ms/network.py", {"hrnet-ms", "tips-ms"}),
    ],
)
def test_a_kind_s_own_file_reaches_its_users_alone(copy: Path, name: str, users: set[str]) -> None:
    file = copy / MODELS / name
    entry = re.compile(r"^def (?:build|terms)\(.*?^(?=    return )", re.MULTILINE | re.DOTALL)
    text, found_entries = entry.subn(r"\g<0>    int()\n", file.read_text(encoding="utf-8"))
    assert found_entries == 1
    file.write_text(text, encoding="utf-8")
    found = stale(copy)
    assert set(found) == users
    assert all(re.match(rf"models/{name} changed since \w+", words) for words in found.values())
    if name == "baselines/dcpose/network.py":
        assert not rules(jobs(copy)) & {"train", "render", "prepare"}


@pytest.mark.parametrize(
    ("name", "old", "new", "users"),
    [
        ("training/job.py", "manual_seed(drawn)", "manual_seed(drawn + 1)", ALL),
        ("config/experiment.py", "self.window.index(0)", "len(self.window) - 1", ALL),
        ("data/study_windows.py", "study.scale.evaluation.enlarge", "1.0", ALL),
        ("data/windows.py", "min(max(frame + offset, 0), length - 1)", "abs(frame + offset)", ALL),
        ("models/heads.py", "start + self.final(encoded)", "start - self.final(encoded)", TIPS),
        ("models/tips/trajectory.py", "alpha * ends", "beta * ends", TIPS),
        ("training/loop.py", "lr=settings.learning_rate", "lr=settings.decay", {*ALL, "vfit"}),
        (
            "models/baselines/rival.py",
            "self.start = start",
            "self.start = self.own = start",
            RIVALS,
        ),
    ],
)
def test_an_edit_that_counts_marks_whom_it_reaches(
    copy: Path, name: str, old: str, new: str, users: set[str]
) -> None:
    edit(copy / "tips" / name, old, new)
    found = stale(copy)
    assert set(found) <= users
    assert set(found) == users or name == "models/tips/trajectory.py"
    assert all(words.startswith(f"{name} changed since ") for words in found.values())
    if name not in PLANNED:  # a plan takes seconds
        return
    planned = jobs(copy)
    assert not rules(planned) & {"train", "group", "prepare", "render"}
    assert {"tabulate", "report"} <= rules(planned)
    predicted = {key[1] for key in planned if key[0] == "predict"}
    assert predicted == (set() if name == "training/loop.py" else users)


def test_the_kernels_sources_reach_the_rows_that_ran_them(copy: Path) -> None:
    edit(copy / "csrc/taps.h", "{", "{ ")
    assert not stale(copy)
    edit(copy / "csrc/attention.h", "return", "return +")
    found = stale(copy)
    kernels = json.loads((copy / f"results/{STUDY}/kernels.json").read_text())
    assert set(found) == (ATTENTION if kernels["cpu"]["library"] else set())
    assert "tips" in ATTENTION
    assert not {"hrnet", "dsta"} & ATTENTION
    assert all("csrc/attention.h changed since" in words for words in found.values())
    planned = jobs(copy)
    assert {key[1] for key in planned if key[0] == "predict"} == ATTENTION
    assert "kernels" in rules(planned)
    assert not rules(planned) & {"train", "interpolate"}


def test_what_is_evaluated_otherwise_is_measured_again_and_nothing_trained(copy: Path) -> None:
    text = (copy / "tips/skeleton.py").read_text()
    number = re.search(r'"nose": (0\.\d+)', text)
    assert number is not None
    edit(copy / "tips/skeleton.py", number.group(0), '"nose": 0.5')
    assert not stale(copy)
    planned = rules(jobs(copy))
    assert {"evaluate", "evaluate_detected", "tabulate", "report"} <= planned
    assert not planned & {"train", "predict", "render", "prepare", "interpolate"}


def test_bodies_are_made_again_with_what_they_import(copy: Path) -> None:
    motion = copy / "tips/mocap/motion.py"
    append(motion, "\n\nANOTHER = 1\n")
    assert "bodies" not in rules(jobs(copy))
    edit(
        motion, "w, x, y, z = np.moveaxis(turns, -1, 0)", "w, x, y, z = -np.moveaxis(turns, -1, 0)"
    )
    assert {"bodies", "render"} <= rules(jobs(copy))


def blocks() -> dict[str, str]:
    """Every rule of the workflow as text."""
    text = "\n".join(
        file.read_text(encoding="utf-8")
        for file in sorted((REPOSITORY / "workflow/rules").glob("*.smk"))
    )
    parts = re.split(r"^ *(?:use )?rule (\w+)(?: as (\w+) with)?:$", text, flags=re.MULTILINE)
    names = [other or name for name, other in zip(parts[1::3], parts[2::3], strict=True)]
    return dict(zip(names, parts[3::3], strict=True))


SPECIAL: dict[str, Callable[[str], bool]] = {
    # Its inputs are the sources themselves.
    "kernels": lambda text: "contents(*SOURCES)" in text,
    # Newer code marks a finished training and no more: see `trigger`.
    "train": lambda text: "trigger=trigger" in text,
    "vfit": lambda text: "trigger=vfit_trigger" in text,
    "interpolate": lambda text: "code=interim_code" in text,
    "interpolate_shard": lambda text: "code=interim_code" in text,
    "features": lambda text: "code=feature_code" in text,
    "predict": lambda text: "code=prediction_code" in text,
    "predict_detected": lambda text: "code=prediction_code" in text,
}


@pytest.mark.parametrize("name", blocks())
def test_every_rule_takes_the_code_of_the_stage_that_it_runs(name: str) -> None:
    text = blocks()[name]
    if name in SPECIAL:
        assert SPECIAL[name](text)
        return
    stage = re.search(r'"(?:study|stage) ([\w-]+)', text)
    wanted = stage.group(1).replace("-", "_") if stage else name.removesuffix("_detected")
    assert re.search(rf'code=(?:light|heavy|study)_code\(\s*"{wanted}"', text), text
