"""JSON Schemas of the files of experiments/, made from the settings themselves, for editors.

A file need not state what it inherits, so no key of an experiment or a scale is required, and a
part of several kinds may leave its `kind` out. What a schema cannot say, such as a rule over two
keys, the loader still checks.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from tips import kinds
from tips.config.asked import Asked
from tips.config.experiment import Losses
from tips.config.scale import Scale

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
DEFINITIONS: Final = "$defs"
EXTENDS: Final = {
    "type": "string",
    "pattern": r"\.yaml$",
    "description": "the file whose values hold where this one gives none, relative to this one",
}
# Limits of numbers that a validator of ours precedes; pydantic leaves them in its own words.
LIMITS: Final = {"ge": "minimum", "gt": "exclusiveMinimum"}
Schema = dict[str, Any]


class _Generator(GenerateJsonSchema):
    """Knows the loss terms that are files and no fields."""

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        if issubclass(schema["cls"], Losses):
            weight = found["additionalProperties"]
            found["properties"] |= dict.fromkeys(kinds.losses(), weight)
            found["additionalProperties"] = False
        return found


def experiment_schema() -> Schema:
    """Makes the schema of a variant's file.

    The key `model` decides which keys a file may have. A file that inherits it may have the keys of
    any kind of model; the loader knows which one it is.
    """
    models, definitions = _of_models()
    asked, more = _schema_of([Asked])
    own = {"extends": EXTENDS} | _resolved(asked[Asked.__name__], more)["properties"]
    chosen = [
        {
            "if": {"required": ["model"], "properties": {"model": {"const": kind}}},
            "then": _with_keys(_resolved(schema, definitions), own),
        }
        for kind, schema in models.items()
    ]
    inherited = _with_keys(_any_of([_resolved(one, definitions) for one in models.values()]), own)
    return _document(
        "A variant: one network with its training",
        {
            "properties": {"model": {"enum": list(models)}},
            "allOf": [
                *chosen,
                {"if": {"not": {"required": ["model"]}}, "then": inherited},
            ],
        },
        definitions | more,
    )


def scale_schema() -> Schema:
    """Makes the schema of a scale's file; what it lays over experiments is checked, too."""
    models, definitions = _of_models()
    found, more = _schema_of([Scale])
    scale = _resolved(found[Scale.__name__], more)
    every = _any_of([_resolved(one, definitions) for one in models.values()])
    scale["properties"] |= {
        "extends": EXTENDS,
        "experiment": {"$ref": f"#/{DEFINITIONS}/AnyModel"},
        "models": {"type": "object", "properties": models, "additionalProperties": False},
        "variants": {
            "type": "object",
            "additionalProperties": {"$ref": f"#/{DEFINITIONS}/AnyModel"},
        },
    }
    return _document("A scale of the study", scale, definitions | more | {"AnyModel": every})


def file_schema(kind: type[BaseModel], title: str) -> Schema:
    """Makes the schema of a file that extends no other, so that its keys are required.

    Args:
        kind: the settings class of the file.
        title: what the file is.
    """
    schema = kind.model_json_schema(schema_generator=_Generator)
    definitions = schema.pop(DEFINITIONS, {})
    return _document(title, _plain(schema), _plain(definitions))


def _document(title: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    return {
        "$schema": DIALECT,
        "title": title,
        "type": "object",
        **{key: value for key, value in schema.items() if key not in ("title", "type")},
        DEFINITIONS: dict(sorted(definitions.items())),
    }


def _of_models() -> tuple[dict[str, Schema], Schema]:
    """Gives the schema of every kind of model by its name, and the definitions that they use."""
    classes = {kind: kinds.settings(kinds.MODEL, kind) for kind in kinds.homes(kinds.MODEL)}
    models, definitions = models_json_schema(
        [(one, "validation") for one in classes.values()], schema_generator=_Generator
    )
    found = {kind: dict(models[one, "validation"]) for kind, one in classes.items()}
    return found, _partial(definitions[DEFINITIONS])


def _schema_of(classes: Iterable[type[BaseModel]]) -> tuple[dict[str, Schema], Schema]:
    models, definitions = models_json_schema(
        [(one, "validation") for one in classes], schema_generator=_Generator
    )
    found = {one.__name__: dict(schema) for (one, _), schema in models.items()}
    return found, _partial(definitions[DEFINITIONS])


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Schema:
    """Gives the definition that a reference names, as a copy with keys of its own."""
    found = definitions[schema["$ref"].rpartition("/")[2]]
    return found | {"properties": dict(found["properties"])}


def _with_keys(schema: Mapping[str, Any], keys: Mapping[str, Any]) -> Schema:
    return {**schema, "properties": {**keys, **schema["properties"]}}


def _any_of(schemas: Iterable[Schema]) -> Schema:
    """Makes the schema of whatever fits one of several kinds, key by key."""
    known: dict[str, list[Any]] = {}
    for schema in schemas:
        for key, value in schema["properties"].items():
            if value not in known.setdefault(key, []):
                known[key].append(value)
    keys = {key: one[0] if len(one) == 1 else {"anyOf": one} for key, one in known.items()}
    return {"type": "object", "properties": keys, "additionalProperties": False}


def _partial(value: Any) -> Any:
    """Makes every key optional, and of kinds one that fits what is given."""
    if isinstance(value, list):
        return [_partial(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _partial(one) for key, one in value.items() if not _left_out(key, one)}
    if kept.get("type") in ("number", "integer"):
        kept = {LIMITS.get(key, key): one for key, one in kept.items()}
    if "oneOf" in kept:
        kept["anyOf"] = kept.pop("oneOf")
    return kept


def _plain(value: Any) -> Any:
    """Leaves out the titles, which only repeat the names of keys."""
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {k: _plain(v) for k, v in value.items() if k != "title" or not isinstance(v, str)}


def _left_out(key: str, value: Any) -> bool:
    """Tells what a schema of a part of the keys does not have; `title` may be a key of a file."""
    return (key == "required" and isinstance(value, list)) or (
        key in ("title", "discriminator") and not (key == "title" and isinstance(value, dict))
    )
