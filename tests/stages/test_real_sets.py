"""From the archives of a real set to its table, with networks that train in a second."""

import csv
import shutil
from pathlib import Path

import miniature
import pytest
import yaml

from tips import records
from tips.config import load_study
from tips.paths import study_paths
from tips.records import Predictions, read_json
from tips.stages import (
    detect,
    evaluate,
    interpolate,
    mean_pose,
    pack,
    pictures,
    predict,
    prepare,
    report,
    tabulate,
    track,
    train,
)
from tips.stages import unpack as unpacking
from tips.tables.state_of_the_art import STATE_OF_THE_ART

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
        "card": False,
        "evaluation": evaluation,
        "experiment": experiment,
        "rows": ["hrnet", "tips"],
        "interim": ["average"],
        "group_counts": [],
        "variants": {"hrnet": {"training": stage_one}},
    }
    Path("experiments/scales/mine.yaml").write_text(yaml.safe_dump(mine))


@pytest.mark.parametrize(
    ("base", "own", "evaluation"),
    [
        ("paper-jhmdb-1", "11", {"flip_test": True}),
        (
            "paper-posetrack17",
            "8",
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
def test_archives_become_a_row_of_their_table(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    base: str,
    own: str,
    evaluation: dict[str, object],
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
    for variant in ("hrnet", "tips", "mean-pose"):
        evaluate.run(variant, 0, boxes, "mine", str(root))
    tabulate.run("mine", str(root))
    metrics = read_json(paths.metrics("tips", "0", boxes))
    for number in STATE_OF_THE_ART:
        sheet = STATE_OF_THE_ART[number]
        with sheet.file(paths).open(encoding="utf-8") as stream:
            rows = {row["row"]: row for row in csv.DictReader(stream)}
        if number != own:
            assert {row["status"] for row in rows.values()} == {"published"}
            assert not any(row["ours_Head"] for row in rows.values())
            continue
        assert rows["ours"]["ours"] == f"{metrics['total']:.2f}"
        assert rows["ours"]["ours_Wrist"] == f"{metrics['columns']['Wrist']:.2f}"
        assert rows["FAMI-Pose"]["ours"] == "missing"  # a row of the study, not trained here
        assert {row["ours"] for row in rows.values() if not row["variant"]} == {""}
    if own == "11":
        assert metrics["total"] == pytest.approx(metrics["pck"]["bbox"]["mean_15"])
        assert metrics["columns"] == pytest.approx(metrics["pck"]["bbox"]["columns"])
    track.run("mine", str(root))
    pictures.run("mine", str(root))
    assert (paths.reports / "figures/pictures.json").is_file()
    report.run("mine", str(root))
    page = (paths.reports / "report.md").read_text(encoding="utf-8")
    assert page.count("*here: tips*") == 1
