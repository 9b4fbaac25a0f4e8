import re
from pathlib import Path

from studies import study_of

from tips.config import Study, load_study
from tips.tables.methods import NAME, conditions, departures
from tips.tables.published import load_tables

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TABLE = load_tables(EXPERIMENTS / "tables.yaml").table(NAME)


def changed(study: Study, name: str, **parts: object) -> Study:
    variant = study.variant(name)
    other = variant._replace(experiment=variant.experiment.model_copy(update=parts))
    return study._replace(variants=study.variants | {name: other})


def test_rows_are_trained_alike_but_for_the_ones_named() -> None:
    for scale in ("smoke", "paper"):
        assert not departures(TABLE, study_of(scale))
    # Desk gives some rivals the rate that lowers their training loss; nothing else differs there.
    apart = departures(TABLE, load_study("desk", EXPERIMENTS))
    assert not {"hrnet", "tips", "concat-wide"} & set(apart)
    for (words,) in apart.values():
        assert re.fullmatch(r"training \(learning_rate [\d.e-]+\)", words)


def test_a_row_with_a_schedule_of_its_own_is_named() -> None:
    study = load_study("desk", EXPERIMENTS)
    full = study.variant("tips").experiment
    training = full.training.model_copy(update={"epochs": 99})
    crop = full.crop.model_copy(update={"height": 96})
    study = changed(study, "concat-wide", training=training, crop=crop)
    apart = departures(TABLE, study)
    assert apart["concat-wide"] == ["crop (height 96)", "training (epochs 99)"]
    assert "`concat-wide` departs from them in its crop (height 96) and training (epochs 99)." in (
        conditions(TABLE, study)
    )
    # What makes a method the method is no departure, nor is stage one's own training.
    study = changed(load_study("desk", EXPERIMENTS), "concat-wide", window=(-1, 0, 1), width=8)
    assert "concat-wide" not in departures(TABLE, study)


def test_conditions_are_those_of_the_scale() -> None:
    desk, paper = (study_of(scale) for scale in ("desk", "paper"))
    assert "one checkpoint for all rows and seeds; crops of 64x64" in conditions(TABLE, desk)[0]
    assert "one checkpoint per seed for all rows; crops of 384x288" in conditions(TABLE, paper)[0]
    assert "batch 32" in conditions(TABLE, paper)[0]
    del desk.variants["tips"]
    (line,) = conditions(TABLE, desk)
    assert line.startswith("`tips` is none of this scale's rows")


def test_what_the_full_models_interim_frames_come_from_is_a_condition() -> None:
    desk, paper = (study_of(scale) for scale in ("desk", "paper"))
    others = [row.variant for row in TABLE.rows if row.variant not in ("tips", None)]
    assert not any(desk.variant(name).experiment.interim_frames for name in others)
    line = conditions(TABLE, desk)[-1]
    assert line.startswith(
        "Of these rows only the full model looks at interim frames; they are made"
    )
    assert "VFIT was trained here on true middle frames of the training split" in line
    assert conditions(TABLE, paper)[-1].endswith("they are made by `flow`.")
    published = desk.scale.vfit.model_copy(update={"training": None, "weights": "vfit.pt"})
    scale = desk.scale.model_copy(update={"vfit": published})
    assert conditions(TABLE, desk._replace(scale=scale))[-1].endswith("they are made by `vfit`.")
    without = changed(desk, "tips", interim="features")
    # The conditions that are equal, and a line for each row that departs from them.
    assert len(conditions(TABLE, without)) == 1 + len(departures(TABLE, without))


def test_the_row_named_as_the_one_without_vfit_is_there() -> None:
    interim = load_tables(EXPERIMENTS / "tables.yaml").table("I")
    assert interim.title == "What the interim frame is worth"
    assert [row.variant for row in interim.rows if row.label == "optical flow"] == ["interim-flow"]
