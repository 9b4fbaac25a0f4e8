import json
import os
import shutil
from pathlib import Path

import pytest
import tiny_study
import torch

from tips.config import Experiment
from tips.data.order import steps_per_epoch
from tips.data.training_keys import training_keys
from tips.opened import open_study
from tips.planning import step_times
from tips.planning.card_memory import GIB, Footprint
from tips.stages import plan, prepare


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TIPS_TRACEBACK", raising=False)
    tiny_study.write(tmp_path)
    return tmp_path


def test_it_counts_steps_as_a_training_does(tiny: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scale = tiny / "experiments/scales/tiny.yaml"
    scale.write_text(scale.read_text().replace("windows_per_epoch: 24", "windows_per_epoch: null"))
    prepare.run("tiny", "people")
    plan.run("tiny", "people", seconds_per_step="0.5,hrnet=2", json=Path("plan.json"))
    found = json.loads(Path("plan.json").read_text())
    assert found["windows"]["number"] == 3 * 5 * 2  # two people on five labelled frames
    assert found["windows"]["source"].startswith("counted, results/")
    opened = open_study("tiny", "people")
    for row in found["trainings"]:
        variant = opened.study.variant(row["variant"])
        settings = variant.experiment.training
        _, pools, _ = training_keys(opened, variant)
        assert row["steps"] == settings.epochs * steps_per_epoch(pools, settings.batch)
        assert row["seconds_per_step"] == (2 if row["variant"] == "hrnet" else 0.5)
        assert row["hours"] == round(row["steps"] * row["seconds_per_step"] / 3600, 3)
    assert found["tables"][-1]["runs"] == 2
    shown = capsys.readouterr().out
    assert "30 windows an epoch: counted" in " ".join(shown.split())
    assert "Hours per table, scale tiny, people" in shown


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "scale paper: nothing says how long a training step takes: give --seconds-per-step"),
        (("--seconds-per-step=fast",), "'fast' must be a positive number, or VARIANT=number"),
        (("--scale=paper-posetrack21", "--seconds-per-step=1"), "or give --windows N"),
        (("--scale=papr",), "unknown scale 'papr'; did you mean 'paper'?"),
        (("--measure", "--seconds-per-step=1"), "exclude each other; give one of them"),
        (("--scale=smoke", "--windows=1000000", "--seeds=1000000"), "1000000 is not in 1..1000"),
        *(
            (("--scale=smoke", f"--card-gib={gib}"), "must be positive and at most 1000000, or 0")
            for gib in ("nan", "inf", "-inf", "-1", "-1e-300", "1e300", "1000001")
        ),
    ],
)
def test_what_nobody_knows_is_a_line(
    words: tuple[str, ...],
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(tiny_study.REPOSITORY / "experiments", tmp_path / "experiments")
    monkeypatch.chdir(tmp_path)
    assert tiny_study.command("plan", *words, "--json=plan.json") == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1
    assert os.listdir() == ["experiments"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "nothing says how long a training step takes: give --seconds-per-step X"),
        (("--scale=paper-posetrack21", "--seconds-per-step=1"), "or give --windows N"),
    ],
)
def test_what_a_card_holds_needs_no_hours(
    words: tuple[str, ...],
    says: str,
    tiny: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(plan, "_footprints", lambda _: [HELD])
    assert tiny_study.command("plan", *words, "--card-gib=24", "--json=plan.json") == 0
    first, *more = capsys.readouterr().out.splitlines()
    assert first.startswith("Hours are unknown: scale paper")
    assert says in first
    assert "tips: batch 8 x 4" in "\n".join(more)
    assert "Hours per table" not in "\n".join(more)
    found = json.loads(Path("plan.json").read_text())
    assert set(found) == {"scale", "memory"}
    assert found["memory"]["card"] == 24 * GIB


@pytest.mark.parametrize("gib", ["1e-300", "1e-9", "1000000"])
def test_every_card_that_is_accepted_is_planned(
    gib: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "_footprints", lambda _: [HELD])
    assert tiny_study.command("plan", f"--card-gib={gib}", "--json=plan.json") == 0
    found = json.loads((tiny / "plan.json").read_text())
    assert found["memory"]["card"] == round(float(gib) * GIB)


def test_hours_stand_before_what_a_card_holds(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plan, "_footprints", lambda _: [HELD])
    words = ("--seconds-per-step=1", "--card-gib=24", "--json=plan.json")
    assert tiny_study.command("plan", *words) == 0
    shown = capsys.readouterr().out
    assert "Hours are unknown" not in shown
    assert shown.index("Hours per table") < shown.index("tips: batch 8 x 4")
    assert {"scale", "trainings", "tables", "memory"} <= set(
        json.loads(Path("plan.json").read_text())
    )


@pytest.mark.usefixtures("restored_order")
def test_it_times_steps_itself(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measure = step_times.measure

    def little_memory(
        experiment: Experiment, device: torch.device, checkpointing: bool, repeats: int
    ) -> step_times.Step:
        if experiment.model == "tips" and experiment.distillation is None:
            raise torch.OutOfMemoryError
        return measure(experiment, device, checkpointing, 1)._replace(gib=2.5)

    monkeypatch.setattr(step_times, "measure", little_memory)
    scale = tiny / "experiments/scales/tiny.yaml"
    scale.write_text(scale.read_text().replace("- tips\n", "- tips\n- concat\n- groups-spectral\n"))
    words = ("--scale=tiny", "--root=people", "--measure", "--json=plan.json")
    assert tiny_study.command("plan", *words) == 0
    assert torch.are_deterministic_algorithms_enabled()  # as in a training
    rows = {row["variant"]: row for row in json.loads(Path("plan.json").read_text())["trainings"]}
    assert all(row["seconds_per_step"] > 0 for row in rows.values())
    assert rows["hrnet"]["source"].startswith("measured, ")
    assert rows["hrnet"]["source"].endswith(", batch 2, 2.5 GiB")
    # The data that its groups come from is not there.
    assert rows["groups-spectral"]["source"] == rows["hrnet"]["source"]
    assert rows["concat"]["seconds_per_step"] == rows["tips"]["seconds_per_step"]
    assert "concat: its batch does not fit this card; its step counts as that of tips" in (
        capsys.readouterr().out
    )


@pytest.mark.usefixtures("restored_order")
def test_a_variant_that_cannot_be_built_is_named(
    tiny: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    variant = tiny / "experiments/variants/odd.yaml"
    variant.parent.mkdir(exist_ok=True)
    variant.write_text("extends: ../tips.yaml\ntitle: odd\nhead: {encoder: {heads: 3}}\n")
    scale = tiny / "experiments/scales/tiny.yaml"
    scale.write_text(scale.read_text().replace("- tips\n", "- tips\n- odd\n"))
    assert tiny_study.command("plan", "--scale=tiny", "--root=people", "--measure") == 2
    error = capsys.readouterr().err
    assert "error: odd: width must be divisible by heads; got 16 and 3" in error


def test_a_card_too_small_for_the_full_model_is_a_line(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(step_times, "measured_steps", lambda _: ({}, ["tips"]))
    assert tiny_study.command("plan", "--scale=tiny", "--root=people", "--measure") == 2
    error = capsys.readouterr().err
    assert "tips: its batch does not fit this card; `tips plan --card-gib GIB` tells" in error
    assert error.count("\n") == 1


HELD = Footprint(
    variant="tips",
    weights=0,
    trained=0,
    base=0,
    window=GIB,
    base_checkpointed=0,
    window_checkpointed=GIB // 4,
    backbone_trained=False,
    batch=8,
    accumulation=4,
)


def test_windows_by_hand(tiny: Path) -> None:
    words = ("--scale=paper-posetrack21", "--windows=800", "--seconds-per-step=3.6")
    assert tiny_study.command("plan", *words, "--json=plan.json") == 0
    found = json.loads(Path("plan.json").read_text())
    assert found["windows"] == {"number": 800, "source": "given"}
    tips = next(row for row in found["trainings"] if row["variant"] == "tips")
    assert (tips["steps"], tips["hours"]) == (2500, 2.5)
    assert [row["table"] for row in found["tables"]][-7:] == [
        *("X", "C", "length", "M", "interim"),
        *("paper", "all"),
    ]
