import json
from pathlib import Path

import fake_study
import pytest

from tips import skeleton
from tips.config import ConfigError
from tips.paths import Paths
from tips.records import read_json
from tips.stages import evaluate, evaluate_files, export


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.chdir(tmp_path)
    return fake_study.build(tmp_path)


@pytest.mark.parametrize("style", ["17", "18"])
@pytest.mark.parametrize(("variant", "boxes"), [("tips", "gt"), ("hrnet", "detected")])
def test_exported_files_give_the_pipelines_numbers(
    paths: Paths, capsys: pytest.CaptureFixture[str], style: str, variant: str, boxes: str
) -> None:
    evaluate.run(variant, 0, boxes, fake_study.SCALE)
    export.run(variant, 0, boxes, style, scale=fake_study.SCALE)
    command = capsys.readouterr().out.split()
    assert command[:2] == ["tips", "evaluate"]
    evaluate_files.run(*map(Path, command[2:]), json=Path("out.json"))
    ours = json.loads(Path("out.json").read_text())
    inside = read_json(paths.metrics(variant, "0", boxes))
    assert ours["ap_mean"] == pytest.approx(inside["total"], abs=1e-9)
    joints = [inside["joints"][name] for name in skeleton.JOINTS]
    for key, field in {
        "ap": "ap",
        "precision": "precision",
        "recall": "recall",
        "n_gt": "n_truth",
        "n_pred": "n_found",
        "n_tp": "n_hit",
    }.items():
        for value, joint in zip(ours[key], joints, strict=True):
            assert value == pytest.approx(joint[field], abs=1e-9)


def test_unknown_style_is_refused() -> None:
    with pytest.raises(ConfigError, match="--style must be 17 or 18; got '21'"):
        export.run("tips", 0, style="21")
