"""Rows of tables: they have types in memory, and are written to CSV files and read back."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self, get_args, get_origin, get_type_hints

from tips.tables.cells import INTEGER, TEXT, Codec, Spread


@dataclass(frozen=True)
class Row:
    """Base of the rows of a table: a field is a column, or several columns if it has a Spread.

    Fields of type `Annotated[..., Codec or Spread]` are written and read by that. Integers and text
    are written as they are.
    """

    last: ClassVar[tuple[str, ...]] = ()  # fields that come after those of a derived class

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Lists the columns in the order of the file, without those that differ from row to row."""
        found: list[str] = []
        for name, codec in codecs(cls).items():
            if isinstance(codec, Spread):
                found += [f"{codec.prefix}{key}" for key in codec.keys or ()]
            else:
                found.append(name)
        return tuple(found)

    def cells(self) -> dict[str, str]:
        """Gives the row as text, by column."""
        found: dict[str, str] = {}
        for name, codec in codecs(type(self)).items():
            value = getattr(self, name)
            if isinstance(codec, Spread):
                write = codec.codec.write
                found |= {f"{codec.prefix}{key}": write(part) for key, part in value.items()}
            else:
                found[name] = codec.write(value)
        return found

    @classmethod
    def read(cls, cells: Mapping[str, str]) -> Self:
        """Reads a row back. Raises KeyError for a missing column, ValueError for a bad cell."""
        values: dict[str, Any] = {}
        for name, codec in codecs(cls).items():
            if isinstance(codec, Spread):
                read = codec.codec.read
                values[name] = {k: read(cells[f"{codec.prefix}{k}"]) for k in codec.keys or ()}
            else:
                values[name] = codec.read(cells[name])
        return cls(**values)


def codecs(kind: type[Row]) -> dict[str, Codec | Spread]:
    """Gives the codec of every field of a type of row, in the order of the file."""
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]
    ordered = [*(name for name in names if name not in kind.last), *kind.last]
    return {name: _codec(hints[name]) for name in ordered}


def _codec(hint: Any) -> Codec | Spread:
    if get_origin(hint) is Annotated:
        return next(one for one in get_args(hint)[1:] if isinstance(one, Codec | Spread))
    if get_origin(hint) is Literal:
        return Codec(str, partial(_word, get_args(hint)))
    return INTEGER if hint is int else TEXT


def _word(known: tuple[str, ...], text: str) -> str:
    if text not in known:
        raise ValueError(f"'{text}' is none of {', '.join(known)}")
    return text
