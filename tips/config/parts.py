"""The base of every part of a configuration, and the digest of what decides results."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    ValidationInfo,
    field_validator,
)
from pydantic_core import CoreSchema, core_schema

from tips import kinds
from tips.kinds import Family

MOST: Final = 1_000_000  # of anything that is counted
LARGEST: Final = 1e12  # magnitude of any number
Positive = Annotated[int, Field(gt=0, le=MOST)]
Size = Annotated[int, Field(gt=0, le=10_000)]  # of one axis of an array
Count = Annotated[int, Field(gt=0, le=100)]  # of what is built one by one: layers, blocks, heads


def _judge_numbers(value: Any) -> None:
    if isinstance(value, Mapping):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list | tuple):
        for inner in value:
            _judge_numbers(inner)
    elif isinstance(value, bool):
        raise ValueError(f"must be no {str(value).lower()} here")
    elif isinstance(value, int | float) and not abs(value) <= LARGEST:
        raise ValueError(f"must be a number of at most {LARGEST:g}")


def _number(value: Any) -> Any:
    _judge_numbers(value)
    return value


# It judges itself, because the fields of `Losses` are named by the files of tips/losses.
Weight = Annotated[float, BeforeValidator(_number), Field(ge=0)]


class Part(BaseModel):
    """Base of every part of the configuration; it is frozen and refuses unknown keys."""

    # Schemas are built when they are first used: while modules are still being imported, the
    # settings of all kinds cannot be found yet.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _sensible(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuses what pydantic takes: `true` for a number, and numbers beyond all use."""
        field = cls.model_fields.get(info.field_name or "")
        # A part judges its own fields, and can name them. What is laid over experiments is judged
        # as a part of them.
        if field is not None and not _may_hold_bools(field.annotation):
            _judge_numbers(value)
        return value

    def meaning(self) -> dict[str, Any]:
        """Gives the keys of this part that decide results; subclasses leave out unread keys."""
        return plain_meaning(self)

    def modules(self) -> list[str]:
        """Lists the modules that are imported only because this part is of its kind."""
        found = []
        for name, value in self:
            if isinstance(value, Part):
                family = family_of(type(self), name)
                if family is not None:
                    found += kinds.parts(family, value.kind)  # type: ignore[attr-defined]
                found += value.modules()
        return found


def _may_hold_bools(annotation: Any) -> bool:
    """Tells whether `true` is a value of a field; of a part's own fields it judges itself."""
    if annotation in (bool, Any) or any(isinstance(one, bool) for one in get_args(annotation)):
        return True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return True
    return any(_may_hold_bools(one) for one in get_args(annotation))


class OfKind(NamedTuple):
    """Annotates a field that holds the settings of the kind that its key `kind` names."""

    family: Family

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        choices = {
            kind: handler.generate_schema(kinds.settings(self.family, kind))
            for kind in kinds.homes(self.family)
        }
        return core_schema.tagged_union_schema(choices, discriminator="kind")


class SettingsOf(NamedTuple):
    """Annotates an optional field with the settings of one kind, imported when it is read."""

    family: Family
    kind: str

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        settings = handler.generate_schema(kinds.settings(self.family, self.kind))
        return core_schema.nullable_schema(settings)


def family_of(part: type[BaseModel], key: str) -> Family | None:
    """Gives the family that a field's `kind` chooses from; None for a field without a choice."""
    field = part.model_fields.get(key)
    found = [] if field is None else [one for one in field.metadata if isinstance(one, OfKind)]
    return found[0].family if found else None


def part_class(part: type[BaseModel], key: str) -> type[BaseModel] | None:
    """Gives the settings class of a key's value; None if the value is plain."""
    field = part.model_fields.get(key)
    for one in _members(None if field is None else field.annotation):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _members(annotation: Any) -> Iterator[Any]:
    """Yields a type and, if it is a union, the types of which it is one."""
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    yield annotation
    if get_origin(annotation) is Union or type(annotation).__name__ == "UnionType":
        for member in get_args(annotation):
            yield from _members(member)


def plain_meaning(value: BaseModel) -> dict[str, Any]:
    """Gives all values of a part except neutral ones.

    So a new key with a neutral default changes no digest. The neutral value is null if the key may
    be null, else 0, false or empty: exactly one value per key.
    """
    found = {}
    for name, inner in value:
        optional = name in type(value).model_fields and type(None) in _members(
            type(value).model_fields[name].annotation
        )
        if inner is None if optional else not (inner or isinstance(inner, BaseModel)):
            continue
        found[name] = _plain(inner)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        return value.meaning()
    if isinstance(value, BaseModel):
        return plain_meaning(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def digest(value: BaseModel | Mapping[str, Any]) -> str:
    """Computes the sha256 of a configuration's meaning.

    Comments, titles, the order of keys, and keys that are not read do not change it.
    """
    return hashlib.sha256(json.dumps(_plain(value), sort_keys=True).encode()).hexdigest()
