"""The JSON Schemas are what the settings say, and refuse what the loader refuses."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tips.config.layers import read_yaml
from tips.config.loader import variant_files
from tips.stages import schemas

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
MADE = schemas.made()
FILES = [
    *((file, "experiment") for file in variant_files(EXPERIMENTS).values()),
    *((file, "scale") for file in sorted((EXPERIMENTS / "scales").glob("*.yaml"))),
    (EXPERIMENTS / "tables.yaml", "tables"),
]
KNOWN = {name: Draft202012Validator(schema) for name, schema in MADE.items()}


@pytest.mark.parametrize("name", MADE)
def test_committed_schemas_are_current(name: str) -> None:
    file = EXPERIMENTS / "schemas" / f"{name}.json"
    assert json.loads(file.read_text()) == MADE[name], "run: tips stage schemas"
    Draft202012Validator.check_schema(MADE[name])


def mappings(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every mapping in a file, itself first."""
    if isinstance(value, dict):
        yield above
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        if isinstance(inner, dict | list):
            yield from mappings(inner, (*above, key))


def named_by_the_user(place: tuple[Any, ...]) -> bool:
    """Whether the keys of a mapping are names and no settings."""
    return place in (("variants",), ("seeds", "more"), ("contract", "seeds"), ("origins",))


def as_json(value: Any) -> Any:
    """As an editor reads the file: its keys are text."""
    return json.loads(json.dumps(value))


@pytest.mark.parametrize(("file", "schema"), FILES, ids=lambda one: getattr(one, "stem", one))
def test_a_committed_file_fits_and_a_wrong_key_anywhere_in_it_does_not(
    file: Path, schema: str
) -> None:
    content = as_json(read_yaml(file))
    KNOWN[schema].validate(content)
    for place in mappings(content):
        if named_by_the_user(place):
            continue
        spoilt = inner = copy.deepcopy(content)
        for key in place:
            inner = inner[key]
        inner["no_such_key"] = None
        assert not KNOWN[schema].is_valid(spoilt), place


@pytest.mark.parametrize(
    "text",
    [
        {"model": "dcpose", "synthesis": None},
        *({"seeds": 0}, {"expect": "more"}, {"compare": "tips"}, {"margin": -1}),
        *({"backbone": {"kind": "hrne"}}, {"losses": {"heatmap": -1}}, {"model": "tpis"}),
        *({"training": {"schedule": "linear"}}, {"extends": "tips"}),
    ],
)
def test_a_wrong_value_is_refused(text: dict[str, Any]) -> None:
    assert KNOWN["experiment"].is_valid({"extends": "../tips.yaml"})
    assert not KNOWN["experiment"].is_valid({"extends": "../tips.yaml"} | text)
