"""Sorts the keys of configuration files by the kind of model or part that they belong to.

A key of another kind is left out if it is inherited, and refused if the experiment itself has it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from tips import kinds
from tips.config.experiment import Losses
from tips.config.layers import ConfigError
from tips.config.parts import family_of, part_class
from tips.kinds import Family


class Layer(NamedTuple):
    """One of the mappings that are laid over each other to make an experiment."""

    prefix: str  # what a message puts before its keys
    values: Mapping[str, Any]
    own: bool  # whether it is written for this experiment; then a key of another kind is a mistake

    def holds(self, location: Sequence[int | str]) -> bool:
        """Tells whether it has a value at a location."""
        inner: Any = self.values
        for key in location:
            if not isinstance(inner, Mapping):
                return inner is not None  # a list or a number, in which the location ends
            if key not in inner:
                return False
            inner = inner[key]
        return bool(location)  # an empty location means a rule over all parts: no layer's own


def fitted(layer: Layer, kind: type[BaseModel], merged: Mapping[str, Any]) -> dict[str, Any]:
    """Gives the keys of a layer that an experiment reads.

    Args:
        layer: one of the experiment's layers.
        kind: settings class of its kind of model.
        merged: all layers laid over each other, which tell the kinds of its parts.

    Raises:
        ConfigError: if no kind knows a key, or if only another kind knows a key of an own layer.
    """
    whole = _Place((), kind, f"model {merged.get('model')}")
    return _fitted(layer, layer.values, whole, merged)


class _Place(NamedTuple):
    """A place in an experiment: the keys that lead to it, its settings class, and its owner."""

    keys: tuple[str, ...]
    part: type[BaseModel]
    owner: str

    def below(self, key: str, merged: Any) -> "_Place | None":
        """Gives the place of a key whose value is a part; None if the value is plain."""
        family = family_of(self.part, key)
        if family is None:
            inner = part_class(self.part, key)
            return None if inner is None else _Place((*self.keys, key), inner, self.owner)
        kind = merged.get("kind") if isinstance(merged, Mapping) else None
        if not (isinstance(kind, str) and kind in kinds.homes(family)):
            return None
        return _Place((*self.keys, key), kinds.settings(family, kind), f"{family.name} {kind}")


def _fitted(
    layer: Layer, values: Mapping[str, Any], place: _Place, merged: Mapping[str, Any]
) -> dict[str, Any]:
    known = keys(place.part)
    found: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            _judge(layer, str(key), place)
            continue
        below = merged.get(key)
        inner = place.below(key, below)
        if inner is not None and isinstance(value, Mapping):
            value = _fitted(layer, value, inner, below if isinstance(below, Mapping) else {})
        found[key] = value
    return found


def keys(part: type[BaseModel]) -> list[str]:
    """Lists the keys that a settings class knows."""
    return part.keys() if issubclass(part, Losses) else list(part.model_fields)


def _judge(layer: Layer, key: str, place: _Place) -> None:
    """Refuses a key that a part does not know, unless it is inherited and another kind knows it."""
    whole = (*place.keys, key)
    owners = sorted(set(_owners(whole)))
    if owners and not layer.own:
        return
    name = f"{layer.prefix}{'.'.join(whole)}"
    if owners:
        raise ConfigError(
            f"{name}: a key of {' and '.join(owners)}; {place.owner} has no such key, so remove it"
        )
    raise ConfigError(f"{name}: unknown key{kinds.nearest(key, keys(place.part))}")


def _owners(place: tuple[str, ...]) -> Iterator[str]:
    """Yields the kinds that know a place, such as "model tips"."""
    for kind in kinds.homes(kinds.MODEL):
        yield from _owners_below(kinds.settings(kinds.MODEL, kind), place, f"model {kind}")


def _owners_below(part: type[BaseModel], place: tuple[str, ...], owner: str) -> Iterator[str]:
    key, *rest = place
    if key not in keys(part):
        return
    if not rest:
        yield owner
        return
    family: Family | None = family_of(part, key)
    if family is not None:
        for kind in kinds.homes(family):
            one = kinds.settings(family, kind)
            yield from _owners_below(one, tuple(rest), f"{family.name} {kind}")
        return
    inner = part_class(part, key)
    if inner is not None:
        yield from _owners_below(inner, tuple(rest), owner)


def without_tags(part: type[BaseModel], location: Sequence[int | str]) -> tuple[int | str, ...]:
    """Removes the kinds from a location of pydantic's, because no file has them as keys."""
    found: list[int | str] = []
    current: type[BaseModel] | None = part
    rest = list(location)
    while rest:
        key = rest.pop(0)
        found.append(key)
        if current is None or not isinstance(key, str) or key not in current.model_fields:
            return (*found, *rest)
        family = family_of(current, key)
        if family is not None and rest and rest[0] in kinds.homes(family):
            current = kinds.settings(family, str(rest.pop(0)))
        else:
            current = part_class(current, key)
    return tuple(found)
