"""YAML files as layers: one file is laid over the file that it extends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml


class ConfigError(ValueError):
    """An unusable configuration; the message names file, key, rule and remedy."""


def overlay(base: Mapping[str, Any], top: Mapping[str, Any]) -> dict[str, Any]:
    """Lays `top` over `base`: mappings merge, anything else is replaced; null removes a part."""
    merged = dict(base)
    for key, value in top.items():
        below = merged.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = overlay(below, value)
        else:
            merged[key] = value
    return merged


def layered(path: Path, above: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Reads a file and lays it over the one that its `extends` names, and so on.

    Args:
        path: the file.
        above: files that extend it, to find circles.

    Raises:
        ConfigError: if a file is missing or malformed, or if files extend each other in a circle.
    """
    own = read_yaml(path)
    name = own.pop("extends", None)
    if name is None:
        return own
    parent = path.parent / str(name)
    if not parent.is_file():
        raise ConfigError(f"{path}: extends: no file {name}")
    if parent.resolve() in (path.resolve(), *above):
        raise ConfigError(f"{path}: extends: {name} extends this file in turn")
    return overlay(layered(parent, (path.resolve(), *above)), own)


class _Once(yaml.CSafeLoader):
    """Refuses a key that is given twice; YAML would silently keep the second one."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._merged: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Copies what `<<` names into a mapping. Raises yaml.constructor.ConstructorError."""
        if id(node) in self._merged:  # a second call would find overridden keys twice
            return
        self._merged.add(id(node))
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{name}' is given twice; remove one", node.start_mark
                )
        super().flatten_mapping(node)


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads one file of keys and values. Raises ConfigError if it is missing or malformed."""
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), _Once)
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such file") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: must hold keys and values; got {type(value).__name__}")
    return value
