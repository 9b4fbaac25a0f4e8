"""From the archives of a real set to predictions, with networks that train in a second."""

import shutil
from pathlib import Path

import miniature
import pytest
import yaml

from tips import records
from tips.config import load_study
from tips.paths import study_paths
from tips.records import Predictions
from tips.stages import detect, interpolate, mean_pose, pack, pictures, predict, prepare, train
from tips.stages import unpack as unpacking

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
pytestmark = pytest.mark.slow


def write_scale(base: str, evaluation: dict[str, object]) -> None:
    """A scale over a committed one, as the README shows: smoke's networks, a few steps."""
    experiment = yaml.safe_load(Path("experiments/scales/smoke.yaml").read_text())["experiment"]
    experiment["interim"] = "average"
    experiment["training"] |= {"windows_per_epoch": 4, "batch": 2}
    stage_one = {"epochs": 1, "batch": 2, "stills_per_epoch": 0}
    mine = {
        "extends": f"{base}.yaml",
        "name": "mine",
        "evaluation": evaluation,
        "experiment": experiment,
        "rows": ["hrnet", "tips"],
        "interim": ["average"],
        "variants": {"hrnet": {"training": stage_one}},
    }
    Path("experiments/scales/mine.yaml").write_text(yaml.safe_dump(mine))


@pytest.mark.parametrize(
    ("base", "evaluation"),
    [
        ("paper-jhmdb-1", {"flip_test": True}),
        (
            "paper-posetrack17",
            {
                "detections": None,
                "detector": {"jitter": 0.06, "miss": 0.0, "false_per_frame": 0.3, "seed": 0},
                "threshold": 0.0,
                "decode": "dark",
                "product": False,
            },
        ),
    ],
)
def test_archives_become_predictions_and_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, base: str, evaluation: dict[str, object]
) -> None:
    shutil.copytree(EXPERIMENTS, tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "archives"
    root.mkdir()
    miniature.MAKERS[base](root)
    if base == "paper-jhmdb-1":
        miniature.own_sums(monkeypatch, root)
    write_scale(base, evaluation)
    study = load_study("mine", Path("experiments"), str(root))
    paths, boxes = study_paths(study.scale), study.scale.evaluation.boxes
    for stage in (unpacking, prepare, pack):
        stage.run("mine", str(root))
    if boxes == "detected":
        detect.run("mine", str(root))
    interpolate.run("average", "mine", str(root))
    for variant in ("hrnet", "tips"):
        train.run(variant, scale="mine", root=str(root), device="cpu")
        predict.run(variant, boxes=boxes, scale="mine", root=str(root), device="cpu")
        found = records.read(Predictions, paths.predictions(variant, "0", boxes))
        assert [row.name for row in found.sequences]
        assert any(frame.poses for row in found.sequences for frame in row.frames)
    mean_pose.run("mine", str(root))
    assert paths.predictions("mean-pose", "0", boxes).is_file()
    pictures.run("mine", str(root))
    assert (paths.reports / "figures/pictures.json").is_file()
