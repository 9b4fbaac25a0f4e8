"""Which keys of a file belong to which kind: inherited keys of others are left out, own refused."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from tips import kinds
from tips.config.experiment import Losses
from tips.config.layers import ConfigError
from tips.config.parts import family_of, part_class
from tips.kinds import Family


class Layer(NamedTuple):
    """One mapping of those laid over each other."""

    prefix: str  # how a message names its keys
    values: Mapping[str, Any]
    own: bool  # written for this experiment: a key of another kind in it is a mistake

    def holds(self, location: Sequence[int | str]) -> bool:
        """Whether it says something at a place."""
        inner: Any = self.values
        for key in location:
            if not isinstance(inner, Mapping):
                return inner is not None  # a list or a number: the rest of the way is in it
            if key not in inner:
                return False
            inner = inner[key]
        return bool(location)  # a rule over all parts is the file's


def fitted(layer: Layer, kind: type[BaseModel], merged: Mapping[str, Any]) -> dict[str, Any]:
    """Gives what of a layer an experiment of some kind reads.

    Args:
        layer: one of the experiment's.
        kind: the settings of its model.
        merged: all layers over each other, which say the kinds of its parts.

    Raises:
        ConfigError: a key that no kind knows, or in an own layer one that another kind knows.
    """
    whole = _Place((), kind, f"model {merged.get('model')}")
    return _fitted(layer, layer.values, whole, merged)


class _Place(NamedTuple):
    """Where in an experiment one looks: the keys down to it, its settings, and whose they are."""

    keys: tuple[str, ...]
    part: type[BaseModel]
    owner: str

    def below(self, key: str, merged: Any) -> "_Place | None":
        """The place of a key that holds settings of its own; None for a plain value."""
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
    """The keys that settings know."""
    return part.keys() if issubclass(part, Losses) else list(part.model_fields)


def _judge(layer: Layer, key: str, place: _Place) -> None:
    """Refuses a key that a part does not know, unless it is inherited and another kind's."""
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
    """The kinds that know a place, such as "model tips"."""
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
    """Takes the kinds out of a place as pydantic names it, which no file has as keys."""
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
