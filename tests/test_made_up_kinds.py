"""A new kind is new files alone: every model can use it, and no other training changes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tips import kinds

ROOT = Path(__file__).parents[1]
SIDE = 64  # of the smoke scale's crops

BONES = '''
"""Lengths of the bones: those of the final maps are those of the labels."""

from jaxtyping import Float
from torch import Tensor

from tips import skeleton
from tips.ops.integral import integral
from tips.terms import Loss, Pass


class BonesLoss(Loss):
    """Mean difference of a bone's length, map px."""

    def forward(self, one: Pass) -> Float[Tensor, ""]:
        """Counts the bones whose ends are both labelled."""
        found, known = (integral(20 * maps) for maps in (one.output.maps, one.target.maps))
        first, last = (list(ends) for ends in zip(*skeleton.POSETRACK.bones))
        lengths = [(at[:, first] - at[:, last] + 1e-3).norm(dim=-1) for at in (found, known)]
        weights = one.target.weights[:, first] * one.target.weights[:, last]
        return ((lengths[0] - lengths[1]).abs() * weights).mean()


def build(experiment: object, model: object) -> BonesLoss:
    """Builds the term."""
    return BonesLoss()
'''

TINY8 = {
    "__init__": "",
    "settings": '''
"""What the backbone `tiny8` is told."""

from typing import ClassVar, Literal

from tips.config.experiment import Backbone
from tips.config.parts import Positive


class Settings(Backbone):
    """Three convolutions."""

    stride: ClassVar[int] = 8

    kind: Literal["tiny8"]
    channels: Positive
''',
    "network": '''
"""A backbone of stride 8."""

from jaxtyping import Float
from torch import Tensor, nn

from tips.config import Crop
from tips.models.backbones.tiny8.settings import Settings
from tips.models.interfaces import Backbone


class Tiny8(Backbone):
    """Halves the image three times."""

    def __init__(self, channels: int, autocast: bool, joints: int) -> None:
        super().__init__()
        widths = (3, channels, channels, channels)
        self.layers = nn.Sequential(
            *(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(widths, widths[1:])),
            nn.ReLU(),
        )
        self.channels, self.autocast = channels, autocast
        self.final_layer = nn.Conv2d(channels, joints, 1)

    def forward(self, images: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C H/8 W/8"]:
        """Computes F."""
        with self.precision(images):
            features: Tensor = self.layers(images)
        return features.float()


def build(e: Settings, crop: Crop, autocast: bool, joints: int) -> Tiny8:
    """Builds the network for images of any size."""
    return Tiny8(e.channels, autocast, joints)
''',
}

COPYCAT = {
    "__init__": "",
    "settings": '''
"""What a training of CopyCat is told."""

from typing import Literal

from tips.config.experiment import Experiment
from tips.config.parts import Positive


class Settings(Experiment):
    """One training of CopyCat."""

    model: Literal["copycat"]
    sharpness: Positive
''',
    "network": '''
"""CopyCat: a share of each frame's own maps, learned."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tips.config import Parts
from tips.models.baselines.copycat.settings import Settings
from tips.models.baselines.rival import Rival
from tips.models.heads import BackboneStart
from tips.models.interfaces import Backbone
from tips.tensors import PoseOutput


class CopyCat(Rival):
    """The mean of the window's maps, weighted."""

    def __init__(self, backbone: Backbone, t: int, frames: int, sharpness: int) -> None:
        super().__init__(backbone, BackboneStart(), t)
        self.sharpness = sharpness
        self.shares = nn.Parameter(torch.zeros(frames))

    def forward(
        self, images: Float[Tensor, "B T 3 H W"], rough: Float[Tensor, "B _i 3 H W"]
    ) -> PoseOutput:
        """Mixes the frames' maps."""
        F = self.features(images)
        maps = self.start(F.flatten(0, 1), self.backbone).unflatten(0, F.shape[:2])
        shares = (self.sharpness * self.shares).softmax(0)
        return PoseOutput(torch.einsum("t,btjhw->bjhw", shares, maps), F)


def build(e: Settings, backbone: Backbone, groups: Parts) -> CopyCat:
    """Builds CopyCat; it has no part groups."""
    return CopyCat(backbone, e.t, len(e.window), e.sharpness)
''',
}

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


def copy_to(folder: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tips", "experiments"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder


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


def write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text.removeprefix("\n"))


def committed(base: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / f"experiments/{base}.yaml").read_text())
    return found


def experiment(folder: Path, name: str, content: dict[str, Any]) -> None:
    """Writes an experiment, and the one that it extends."""
    file = folder / "made-up" / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(content))
    shutil.copy(ROOT / "experiments/tips.yaml", folder / "made-up")


BASES = (  # one experiment of each kind of model
    *("ablation/groups-3", "baselines/dcpose", "baselines/dsta", "baselines/fami-pose"),
    *("baselines/hrnet", "baselines/posewarper", "baselines/tdmi"),
)


@pytest.mark.slow
def test_one_file_is_a_loss_that_every_model_may_weigh(tmp_path: Path, usual: Any) -> None:
    copy = copy_to(tmp_path / "copy")
    (copy / "tips/losses/bones.py").write_text(BONES.removeprefix("\n"))
    assert run(copy, SNAPSHOT) == [usual]
    for base in BASES:
        given = committed(base)
        losses = given.get("losses", {}) | {"bones": 0.1}
        experiment(copy, base, given | {"losses": losses})
    found = run(copy, STEP, "made-up")
    assert {one["model"] for one in found} == set(kinds.homes(kinds.MODEL))
    for one in found:
        assert one["weights"] == one["said"]
        assert one["weights"]["bones"] == 0.1
        assert one["terms"]["bones"] > 0
        assert one["trained"]
        assert "losses/bones.py" in one["code"]


@pytest.mark.slow
def test_a_folder_is_a_backbone_of_another_stride(tmp_path: Path, usual: Any) -> None:
    copy = copy_to(tmp_path / "copy")
    write(copy / "tips/models/backbones/tiny8", TINY8)
    assert run(copy, SNAPSHOT) == [usual]
    for base in ("baselines/hrnet", "ablation/groups-3", "baselines/fami-pose"):
        experiment(copy, base, committed(base) | {"backbone": {"kind": "tiny8", "channels": 8}})
    found = run(copy, STEP, "made-up")
    assert {one["model"] for one in found} == {"single_frame", "tips", "fami_pose"}
    for one in found:
        assert one["maps"] == [2, 15, SIDE // 8, SIDE // 8]
        assert one["trained"]
        assert "models/backbones/tiny8/network.py" in one["code"]
        assert not [file for file in one["code"] if "hrnet" in file]


@pytest.mark.slow
def test_a_folder_is_a_rival(tmp_path: Path, usual: Any) -> None:
    copy = copy_to(tmp_path / "copy")
    write(copy / "tips/models/baselines/copycat", COPYCAT)
    assert run(copy, SNAPSHOT) == [usual]
    own = {"title": "CopyCat", "model": "copycat", "window": [-2, -1, 0], "sharpness": 3}
    experiment(copy, "baselines/copycat", {"extends": "../tips.yaml"} | own)
    (one,) = run(copy, STEP, "made-up")
    assert one["model"] == "copycat"
    assert one["weights"] == {"heatmap": 1.0}
    assert one["trained"]
    assert "models/baselines/copycat/network.py" in one["code"]
    assert not [file for file in one["code"] if file.startswith("models/tips/")]
