"""Seeds and comparisons that a variant's file asks for, and files that extend other variants."""

from pathlib import Path

import pytest

from tips.config import ConfigError, Study, load_experiment, load_scale, load_study
from tips.config.asked import KEYS, Asked, rows_beside
from tips.config.loader import read_asked
from tips.freshness import training_digest

ASKED = "seeds: 2\ncompare: [tips, groups-8]\nexpect: equal\nmargin: 0.2\n"
VARIANTS = list(load_study("smoke", Path(__file__).parents[2] / "experiments").variants)


def mine(experiments: Path, text: str, name: str = "mine") -> Path:
    path = experiments / "own" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"title: mine\n{text}", encoding="utf-8")
    return path


def seeds(experiments: Path, given: int | None = None) -> int:
    return load_study("smoke", experiments, seeds=given).variant("mine").seeds


def beside(study: Study, **asked: object) -> tuple[str, ...]:
    return rows_beside("mine", Asked.model_validate(asked), study, "mine.yaml")


def test_what_is_asked_of_a_study_changes_no_training(experiments: Path) -> None:
    smoke = load_scale("smoke", experiments)
    path = mine(experiments, "extends: ../tips.yaml\nwidth: 24\n")
    before = training_digest(load_experiment(path, smoke), smoke)
    path.write_text(path.read_text() + ASKED)
    assert training_digest(load_experiment(path, smoke), smoke) == before
    found = read_asked(path)
    assert (found.seeds, found.compare, found.expect) == (2, ("tips", "groups-8"), "equal")
    assert all(f"{key}: " in ASKED for key in KEYS)


def test_who_says_the_number_of_seeds(experiments: Path) -> None:
    mine(experiments, "extends: ../tips.yaml\n")
    assert seeds(experiments) == load_scale("smoke", experiments).seeds.default == 1
    mine(experiments, "extends: ../tips.yaml\nseeds: 3\n")
    assert seeds(experiments) == 3
    scale = experiments / "scales/smoke.yaml"
    scale.write_text(scale.read_text().replace("more: {", "more: {mine: 2, "))
    assert seeds(experiments) == 2
    assert seeds(experiments, given=5) == 5


def test_what_a_parent_asks_is_not_inherited(experiments: Path) -> None:
    mine(experiments, "extends: ../tips.yaml\n" + ASKED, "parent")
    assert read_asked(mine(experiments, "extends: parent.yaml\n")) == Asked()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("seeds: 0", "seeds: Input should be greater than 0 (got 0)"),
        ("seeds: true", "seeds: must be no true here"),
        ("compare: tips", "compare: Input should be a list"),
        ("compare: [tips, tips]", "compare: names each row once; twice: tips"),
        ("compare: [../tips]", "compare.0: a name has 1 to 64 letters"),
        ("expect: more", "expect: Input should be 'above', 'equal' or 'below'"),
        ("margin: 0", "margin: Input should be greater than 0 (got 0)"),
        ("margin: .nan", "margin: must be a number"),
    ],
)
def test_what_cannot_be_asked_is_one_line(experiments: Path, text: str, says: str) -> None:
    path = mine(experiments, f"extends: ../tips.yaml\n{text}\n")
    with pytest.raises(ConfigError) as refused:
        load_study("smoke", experiments)
    assert str(refused.value).startswith(f"{path}: {says}")
    assert "\n" not in str(refused.value)


def test_a_variant_is_compared_with_its_parent_unless_it_says_more(experiments: Path) -> None:
    mine(experiments, "extends: ../ablation/groups-8.yaml\n")
    study = load_study("smoke", experiments)
    assert beside(study) == ("groups-8",)
    assert beside(study, compare=["tips", "mean-pose"]) == ("tips", "mean-pose")


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            {"compare": ["groups-9"]},
            "compare: scale 'smoke' has no row 'groups-9'; did you mean 'groups-8'?",
        ),
        ({"compare": ["vitpose"]}, "compare: scale 'smoke' has no row 'vitpose'; "),
        ({"compare": ["mine"]}, "compare: 'mine' is this variant; name other rows"),
    ],
)
def test_a_row_that_the_study_lacks_is_one_line(
    experiments: Path, asked: dict[str, object], says: str
) -> None:
    mine(experiments, "extends: ../tips.yaml\n")
    with pytest.raises(ConfigError) as refused:
        beside(load_study("smoke", experiments), **asked)
    assert str(refused.value).startswith(f"mine.yaml: {says}")


def test_an_expectation_needs_something_to_compare_with(experiments: Path) -> None:
    path = mine(experiments, "")
    path.write_text((experiments / "tips.yaml").read_text())
    study = load_study("smoke", experiments)
    assert beside(study) == ()
    with pytest.raises(ConfigError, match="expect: there is no row to compare with"):
        beside(study, expect="above")


@pytest.mark.parametrize("scale", ["smoke", "desk"])
def test_a_file_that_extends_a_variant_is_that_variant_as_the_scale_has_it(
    experiments: Path, scale: str
) -> None:
    chosen = load_scale(scale, experiments)
    study = load_study(scale, experiments)
    for name in set(VARIANTS) - {"tips"}:
        parent = next(experiments.glob(f"*/{name}.yaml"))
        path = mine(experiments, f"extends: ../{parent.parent.name}/{name}.yaml\n", f"own-{name}")
        child = load_experiment(path, chosen, experiments)
        assert child.meaning() == study.variant(name).experiment.meaning(), name
    again = mine(experiments, "extends: own-dcpose.yaml\nwidth: 48\n")
    found = load_experiment(again, chosen, experiments).meaning()
    assert found == study.variant("dcpose").experiment.meaning() | {"width": 48}


def test_a_child_of_another_kind_of_model_takes_what_the_scale_says_of_that_kind(
    experiments: Path,
) -> None:
    text = "extends: ../controls/concat.yaml\nmodel: single_frame\nwindow: [0]\n"
    desk = load_scale("desk", experiments)
    found = load_experiment(mine(experiments, text), desk, experiments).training
    assert found.epochs == desk.models["single_frame"]["training"]["epochs"]


def test_files_extend_each_other_without_an_end_in_one_line(experiments: Path) -> None:
    mine(experiments, "extends: two.yaml\n", "one")
    mine(experiments, "extends: one.yaml\n", "two")
    with pytest.raises(ConfigError, match="extends this file in turn"):
        load_study("smoke", experiments)
    for number in range(12):
        mine(experiments, f"extends: f{number + 1}.yaml\n", f"f{number}")
    mine(experiments, "extends: ../tips.yaml\n", "f12")
    with pytest.raises(ConfigError, match=r"more than \d+ files follow each other"):
        load_experiment(experiments / "own/f0.yaml")
