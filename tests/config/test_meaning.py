"""What of a configuration decides numbers: its digest is of that, and of nothing else."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import create_model

from tips import kinds
from tips.config import (
    Experiment,
    digest,
    load_experiment,
    overlay,
    read_experiment,
    rivals,
)
from tips.config.fitting import keys
from tips.config.loader import experiment_files
from tips.config.parts import Part, part_class

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
COMMITTED = {path.stem: load_experiment(path) for path in experiment_files(EXPERIMENTS)}
# A new kind may be there before its first experiment.
RIVALS = [name for name in rivals() if name in COMMITTED]
NAMES = sorted(COMMITTED)


def changed(experiment: Experiment, change: Mapping[str, Any]) -> Experiment:
    return read_experiment(overlay(experiment.model_dump(), change))


def means_another(name: str, change: Mapping[str, Any]) -> bool:
    """Whether a change of a committed experiment changes its digest."""
    return digest(changed(COMMITTED[name], change)) != digest(COMMITTED[name])


def as_of(kind: type[Experiment], experiment: Experiment) -> str:
    """The digest of the same experiment as settings of a class with more keys."""
    return digest(kind.model_validate(experiment.model_dump()))


def test_the_digest_is_not_of_comments_titles_or_the_order_of_keys(experiments: Path) -> None:
    path = experiments / "ablation/mine.yaml"
    path.write_text("extends: ../tips.yaml\ntitle: mine\nblocks: 2\nwidth: 24\n")
    first = load_experiment(path)
    path.write_text(
        "# another comment\nwidth: 24   # and here\nextends: ../tips.yaml\n"
        "blocks: 2\ntitle: another title\n"
    )
    assert digest(load_experiment(path)) == digest(first)
    path.write_text("extends: ../tips.yaml\ntitle: mine\nblocks: 2\nwidth: 32\n")
    assert digest(load_experiment(path)) != digest(first)
    assert digest({"b": 1, "a": {"d": 2, "c": 3}}) == digest({"a": {"c": 3, "d": 2}, "b": 1})


NEUTRAL = [
    *((int, 0), (float, 0.0), (bool, False), (str, ""), (int | None, None), (Part | None, None)),
    (tuple[int, ...], ()),
]
MEANT = [
    *((int, 1), (float, 0.5), (bool, True), (str, "x"), (int | None, 0), (bool | None, False)),
    (tuple[int, ...], (1,)),
]


@pytest.mark.parametrize("kind", sorted(kinds.homes(kinds.MODEL)))
@pytest.mark.parametrize("field", NEUTRAL, ids=str)
def test_a_new_key_with_a_neutral_default_changes_no_digest(kind: str, field: Any) -> None:
    for experiment in COMMITTED.values():
        if experiment.model == kind:
            wider = create_model("Settings", __base__=type(experiment), novel=field)
            assert as_of(wider, experiment) == digest(experiment)
            below = create_model("Crop", __base__=type(experiment.crop), novel=field)
            deeper = create_model("Settings", __base__=type(experiment), crop=(below, ...))
            assert as_of(deeper, experiment) == digest(experiment)


@pytest.mark.parametrize("field", MEANT, ids=str)
def test_a_new_key_with_another_default_changes_the_digest(field: Any) -> None:
    experiment = COMMITTED["tips"]
    wider = create_model("Settings", __base__=type(experiment), novel=field)
    assert as_of(wider, experiment) != digest(experiment)


@given(st.sampled_from(NAMES), st.randoms(use_true_random=False), st.text(max_size=9))
def test_titles_and_the_order_of_keys_mean_nothing(name: str, random: Any, title: str) -> None:
    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        found = [(key, shuffled(inner)) for key, inner in value.items()]
        random.shuffle(found)
        return dict(found)

    whole = shuffled(COMMITTED[name].model_dump()) | {"title": title}
    assert digest(read_experiment(whole)) == digest(COMMITTED[name])


def leaves(value: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every place of a configuration that holds a number above zero."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*above, key))
    elif isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        yield above


def at(place: tuple[str, ...], value: object) -> dict[str, Any]:
    for key in place[::-1]:
        value = {key: value}
    return value  # type: ignore[return-value]


@given(st.sampled_from(NAMES), st.data())
def test_every_number_means_something_unless_it_weighs_what_is_not_built(
    name: str, data: st.DataObject
) -> None:
    experiment = COMMITTED[name]
    whole = experiment.model_dump()
    place = data.draw(st.sampled_from(sorted(leaves(whole))))
    value: Any = whole
    for key in place:
        value = value[key]
    try:
        other = changed(experiment, at(place, 2 * value if place[0] == "crop" else value / 2))
    except ValueError:
        try:
            other = changed(experiment, at(place, value + 1))
        except ValueError:  # Table V knows few counts of groups
            assume(False)
            return
    reads = place[0] in experiment.meaning()  # `blocks` only where there is a part with some
    if place[0] == "losses":
        reads = other.weights != experiment.weights
    assert (digest(other) != digest(experiment)) == reads


def test_terms_of_weight_0_mean_nothing_and_others_do() -> None:
    tips = COMMITTED["tips"]
    assert tips.losses.estimator == "vsd"
    for name in ("trajectory", "anchor", "variety", "complement", "redundancy", "heatmap"):
        assert means_another("tips", {"losses": {name: 0.5}})
        without = changed(tips, {"losses": {name: 0.0}})
        assert name not in without.meaning()["losses"]
        left_out = tips.model_dump()
        del left_out["losses"][name]
        assert digest(read_experiment(left_out)) == digest(without)
    # A factor of terms that are all absent weighs nothing, whatever it is.
    none = changed(tips, {"losses": {"trajectory": 0.0, "anchor": 0.0}})
    assert digest(changed(none, {"losses": {"synthesis": 7.0}})) == digest(none)
    assert not means_another("synthesis-without-trajectory", {"losses": {"red_level": "label"}})


def test_keys_of_absent_parts_mean_nothing() -> None:
    absent = {"synthesis": None, "distillation": None}
    concat = changed(COMMITTED["tips"], absent)
    assert digest(concat) == digest(COMMITTED["concat"])
    for change in (
        *({name: 3.0} for name in ("synthesis", "trajectory", "anchor", "information")),
        *({name: 3.0} for name in ("variety", "complement", "redundancy")),
        *({"estimator": "fami_released"}, {"red_level": "feature"}),
    ):
        assert digest(changed(concat, {"losses": change})) == digest(concat)
    assert concat.meaning().keys() & {"synthesis", "distillation", "interim"} == set()


def test_an_estimator_means_something_where_a_term_estimates() -> None:
    released, feature = (
        {"losses": {"estimator": "fami_released"}},
        {"losses": {"red_level": "feature"}},
    )
    assert means_another("tips", released)
    assert means_another("tips", feature)
    tips = COMMITTED["tips"]
    without = changed(tips, {"losses": {"redundancy": 0.0}})
    assert digest(changed(without, feature)) == digest(without)
    assert digest(changed(without, released)) != digest(without)
    neither = changed(without, {"losses": {"complement": 0.0}})
    assert digest(changed(neither, released)) == digest(neither)
    other = changed(tips, released)  # has no levels
    assert digest(changed(other, feature)) == digest(other)


def test_interim_frames_mean_something_where_a_synthesizer_looks() -> None:
    for name, experiment in COMMITTED.items():
        if "interim" not in type(experiment).model_fields:
            continue
        synthesizes = experiment.synthesis is not None
        other = {"interim": "average" if experiment.interim != "average" else "flow"}
        assert means_another(name, other) == synthesizes, name
        assert (experiment.interim_frames is not None) == (
            synthesizes and experiment.interim != "features"
        )


def test_a_backbone_s_first_weights_mean_something_in_stage_one_alone() -> None:
    change = {"backbone": {"weights": "another.pth"}}
    for name, experiment in COMMITTED.items():
        assert means_another(name, change) == experiment.first_stage, name
    assert {experiment.first_stage for experiment in COMMITTED.values()} == {True, False}


CHANGES = [
    {"fusion": {"blocks": 1}},
    {"interim": "average"},
    {"head": {"encoder": {"layers": 2}}},
    {"head": {"start": "backbone"}},
    {"blocks": 1},
    {"width": 96},
    {"drop": 0.3},
    {"losses": {"heatmap": 2.0}},
    {"losses": {"trajectory": 2.0}},
    {"losses": {"information": 2.0}},
    {"losses": {"variety": 2.0}},
    {"losses": {"complement": 2.0}},
    {"losses": {"disentangle": 2.0}},
    {"losses": {"likelihood": 2.0}},
    {"losses": {"estimator": "fami_released"}},
    {"losses": {"red_level": "feature"}},
]


def knows(part: Any, change: Mapping[str, Any]) -> bool:
    """Whether settings have all keys of a change."""
    return all(
        key in keys(part) and (not isinstance(value, dict) or knows(part_class(part, key), value))
        for key, value in change.items()
    )


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_rival_reads_every_key_that_its_settings_have_and_refuses_others(
    change: dict[str, Any],
) -> None:
    for name in RIVALS:
        if knows(type(COMMITTED[name]), change):
            assert means_another(name, change), name
        else:
            with pytest.raises(ValueError, match=r"unknown loss|not permitted|valid number"):
                changed(COMMITTED[name], change)


def test_rivals_do_not_all_read_the_same() -> None:
    readers = {
        str(change): {name for name in RIVALS if knows(type(COMMITTED[name]), change)}
        for change in CHANGES
    }
    assert readers["{'width': 96}"] >= {"dcpose", "posewarper"}
    assert not readers["{'interim': 'average'}"] & {"dcpose", "dsta", "fami-pose", "tdmi"}
    assert readers["{'head': {'start': 'backbone'}}"] >= {"dcpose", "dsta", "fami-pose", "tdmi"}
    assert "posewarper" not in readers["{'head': {'start': 'backbone'}}"]
    assert "fami-pose" in readers["{'losses': {'complement': 2.0}}"]
    assert "tdmi" in readers["{'losses': {'disentangle': 2.0}}"]
