"""Checks configurations against their settings classes, and words what is wrong with them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from tips import kinds
from tips.config.fitting import Layer, keys, without_tags
from tips.config.layers import ConfigError
from tips.config.parts import family_of, part_class

M = TypeVar("M", bound=BaseModel)
WORDS: Final = {
    "valid tuple": "list",
    "valid list": "list",
    "valid dictionary": "mapping of keys to values",
}


def validated(
    kind: type[M], value: Mapping[str, Any], path: Path, layers: Sequence[Layer] = ()
) -> M:
    """Checks a configuration; a message about a mistake names the topmost layer with the key.

    Args:
        kind: the settings class.
        value: keys and values.
        path: the file that they are from.
        layers: the mappings that they were laid together from, the topmost first.

    Raises:
        ConfigError: if anything is wrong.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        location = without_tags(kind, first["loc"])
        hint = ""
        message = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            message = "unknown key"
            hint = kinds.nearest(str(location[-1]), _fields(kind, location[:-1]))
        elif first["type"] == "missing":
            message = "this key must be given"
        elif first["type"] in ("union_tag_invalid", "union_tag_not_found"):
            message = _about_a_kind(kind, location, first.get("ctx", {}))
            location = (*location, "kind")
        else:
            for word, of_yaml in WORDS.items():
                message = message.replace(word, of_yaml)
            named = "got" in message or message.startswith("unknown")
            message += "" if named else f" (got {json.dumps(first['input'], default=str)[:80]})"
        where = ".".join(map(str, location)) or "the file"
        holding = (layer.prefix for layer in layers if layer.holds(location))
        raise ConfigError(f"{next(holding, f'{path}: ')}{where}: {message}{hint}") from error


def _about_a_kind(
    part: type[BaseModel], location: tuple[int | str, ...], context: Mapping[str, Any]
) -> str:
    """Writes the message about a part whose kind is unknown or missing."""
    if "tag" not in context:
        return "this key must be given"
    inner = _part(part, location[:-1])
    family = None if inner is None else family_of(inner, str(location[-1]))
    tag = str(context["tag"])
    if family is None:
        return f"unknown kind '{tag}'"
    return f"unknown {family.name} '{tag}'{kinds.nearest(tag, kinds.homes(family))}"


def _fields(kind: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Lists the keys that settings know at a location, from which a message names the nearest."""
    part = _part(kind, location)
    return [] if part is None else keys(part)


def _part(kind: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel] | None:
    part: type[BaseModel] | None = kind
    for key in location:
        part = None if part is None else part_class(part, str(key))
    return part
