"""Rows of tables: typed in memory, text in CSV files, and typed again when they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, Self, get_args, get_origin, get_type_hints

from tips.tables.cells import INTEGER, TEXT, Codec, Spread


@dataclass(frozen=True)
class Row:
    """Base of the rows of one table: a field is a column, or several where it is spread.

    Fields of type `Annotated[..., Codec or Spread]` are written and read by that; integers and text
    as they are.
    """

    last: ClassVar[tuple[str, ...]] = ()  # fields that stand behind those of a derived row

    @classmethod
    def columns(cls) -> tuple[str, ...]:
        """Names of the columns in the order of the file, without those that only a row knows."""
        found: list[str] = []
        for name, codec in codecs(cls).items():
            if isinstance(codec, Spread):
                found += [f"{codec.prefix}{key}" for key in codec.keys or ()]
            else:
                found.append(name)
        return tuple(found)

    def cells(self) -> dict[str, str]:
        """The row as text, column -> cell."""
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
        """Reads a row back. Raises KeyError for a column that is not there, else ValueError."""
        values: dict[str, Any] = {}
        for name, codec in codecs(cls).items():
            if isinstance(codec, Spread):
                read = codec.codec.read
                values[name] = {k: read(cells[f"{codec.prefix}{k}"]) for k in codec.keys or ()}
            else:
                values[name] = codec.read(cells[name])
        return cls(**values)


def codecs(kind: type[Row]) -> dict[str, Codec | Spread]:
    """How every field of a kind of row is written, in the order of the file."""
    hints = get_type_hints(kind, include_extras=True)
    names = [field.name for field in fields(kind)]
    ordered = [*(name for name in names if name not in kind.last), *kind.last]
    return {name: _codec(hints[name]) for name in ordered}


def _codec(hint: Any) -> Codec | Spread:
    if get_origin(hint) is Annotated:
        return next(one for one in get_args(hint)[1:] if isinstance(one, Codec | Spread))
    return INTEGER if hint is int else TEXT
