"""Which numbers and settings of a run MLflow shows, and under which names."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tips.config import load_study
from tips.tracking.mlflow_store import legal_name
from tips.tracking.shown import (
    FIRST,
    flatten,
    gain_name,
    measured,
    metric_name,
    ordered,
    varied,
)

ROOT = Path(__file__).parents[2]
KEYS = st.sampled_from(("a", "b", "kind", "model"))
SETTINGS = st.dictionaries(
    KEYS,
    st.recursive(
        st.integers(0, 2), lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
    ),
    max_size=4,
)


def test_flatten() -> None:
    nested = {"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": "text", "g": {}}
    assert flatten(nested) == {"a.b": "1", "a.c.d": "null", "e": "[1, 2]", "f": "text", "g": "{}"}


def test_important_metrics_sort_before_all_others() -> None:
    others = [
        metric_name("columns/Head"),
        metric_name("detected/total"),
        metric_name("subsets/hidden"),
        gain_name("concat-wide", "gain"),
        "train/total",
    ]
    names = [metric_name("total"), metric_name("subsets/clean"), metric_name("subsets/degraded")]
    names += [gain_name("hrnet", end) for end in ("gain", "low", "high")]
    assert sorted(names) == sorted(FIRST)
    assert max(names) < min(others)
    assert [name for name, _ in ordered(dict.fromkeys(others + names, 0.0))][:6] == list(FIRST)
    assert [legal_name(name) for name in others + names] == others + names


def test_few_numbers_of_a_file_are_shown() -> None:
    file = {
        "total": 50,
        "columns": {"Head": 61.5, "Wrist": None},
        "subsets": {"clean": 60.0, "hidden": float("nan")},
        "oks": {"mean": 3.0, "parts": {"Head": {"ap": 1.0}}},
        "joints": {"nose": {"ap": 1.0}},
        "seed": 3,
        "columnsx": 1.0,
    }
    assert measured(file) == {
        "total": 50,
        "clean": 60,
        "various/columns/Head": 61.5,
        "various/oks/mean": 3,
    }
    assert measured({"total": 50, "subsets": {"clean": 60.0}}, "detected") == {
        "various/detected/total": 50,
        "various/detected/subsets/clean": 60,
    }


@given(st.lists(SETTINGS, max_size=4))
def test_settings_with_several_values_are_shown_and_equal_ones_are_not(
    settings: list[dict[str, Any]],
) -> None:
    found = varied(settings)
    flat = [flatten(one) for one in settings]
    for name in {name for one in flat for name in one}:
        values = {one.get(name) for one in flat}
        assert (name in found) or len(values - {None}) == 1
        assert (name not in found) or len(values) > 1


def test_a_part_that_is_absent_hides_its_settings_and_a_loss_without_weight_shows() -> None:
    part = {"encoder": {"kind": "transformer", "layers": 2}, "points": [1]}
    full = {"model": "tips", "losses": {"heatmap": 1.0, "variety": 0.1}, "synthesis": part}
    bare = {"model": "tips", "losses": {"heatmap": 1.0}}
    other = {"model": "dcpose", "losses": {"heatmap": 1.0}, "rate": 1}
    conv = full | {"synthesis": {"encoder": {"kind": "conv"}, "points": [1]}}
    assert varied([full, bare]) == {"losses.variety"}
    assert varied([full, other]) == {"model", "losses.variety"}
    assert varied([full, conv]) == {"synthesis.encoder.kind"}
    assert varied([full]) == varied([]) == frozenset()


def test_the_variants_of_this_project_show_few_settings_and_none_that_they_do_not_read() -> None:
    study = load_study("desk", ROOT / "experiments")
    meanings = {
        name: json.loads(json.dumps(one.experiment.meaning()))
        for name, one in study.variants.items()
    }
    shown = varied(list(meanings.values()))
    for name in ("tips", "hrnet", "dcpose"):
        own = flatten(meanings[name])
        assert len(own.keys() & shown) < len(own) / 2, name
    assert "augmentation.flip_probability" not in shown
    assert {"losses.synthesis", "window", "interim", "distillation.groups.count"} & shown
    assert "distillation.groups.count" not in flatten(meanings["hrnet"])


@pytest.mark.parametrize("name", ["groups-8", "window-3", "losses-synthesis", "interim-flow"])
def test_what_differs_from_the_full_model_is_shown(name: str) -> None:
    study = load_study("desk", ROOT / "experiments")
    flat = {
        one: flatten(json.loads(json.dumps(study.variants[one].experiment.meaning())))
        for one in study.variants
    }
    shown = varied([one.experiment.meaning() for one in study.variants.values()])
    full = {key: value for key, value in flat["tips"].items() if key in shown}
    assert full != {key: value for key, value in flat[name].items() if key in shown}
