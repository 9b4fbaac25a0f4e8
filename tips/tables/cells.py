"""Typed cells: what a number is where there is none, and how cells become text and come back."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, TypeGuard


class Absent(StrEnum):
    """Why a cell holds no number."""

    NONE = ""  # none is due
    MISSING = "missing"  # it should exist, and was not made yet
    FAILED = "failed"  # what makes it ended with an error
    UNKNOWN = "unknown"  # nothing fixes it
    UNDEFINED = "-"  # the dataset does not say what it would be


Value = float | Absent
NUMBERLESS: Final = (Absent.MISSING, Absent.FAILED, Absent.UNKNOWN)


class Codec(NamedTuple):
    """How a column's values are written, and read back."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


class Spread(NamedTuple):
    """How a mapping is written: every key is a column of its own, behind a prefix.

    `keys` are those that are read back; None: the columns differ from table to table, and nobody
    reads them.
    """

    prefix: str
    keys: tuple[str, ...] | None
    codec: Codec


def known(value: Value) -> TypeGuard[float]:
    """Whether a cell holds a number."""
    return not isinstance(value, Absent)


def value_of(number: float | None, absent: Absent = Absent.NONE) -> Value:
    """A number, or why there is none; NaN is none."""
    return absent if number is None or math.isnan(number) else number


def rounded(value: Value, digits: int = 2, sign: str = "") -> str:
    """A value as cells show it: a fixed number of decimals, never "-0.00"."""
    if not known(value):
        return str(value)
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def plain(value: Value) -> str:
    """A level with two decimals."""
    return rounded(value)


def signed(value: Value) -> str:
    """A difference with its sign and two decimals."""
    return rounded(value, sign="+")


def _value(text: str) -> Value:
    return Absent(text) if text in set(Absent) else float(text)


def _whole(text: str) -> int | Absent:
    return Absent(text) if text in set(Absent) else int(text)


def _decimal(value: Decimal | None) -> str:
    return "" if value is None else f"{value:+}"


def _optional(value: int | None) -> str:
    return "" if value is None else str(value)


def number(printed: str) -> Decimal | None:
    """A printed cell as an exact number; None for "-", "" and words."""
    try:
        return Decimal(printed)
    except InvalidOperation:
        return None


def digits(count: int) -> Codec:
    """Numbers with a fixed count of decimals."""
    return Codec(lambda value: rounded(value, count), _value)


TEXT: Final = Codec(str, str)
INTEGER: Final = Codec(str, int)
Level = Annotated[Value, digits(2)]
Difference = Annotated[Value, Codec(signed, _value)]
Share = Annotated[Value, digits(3)]
Tenths = Annotated[Value, digits(1)]
Parameters = Annotated[int | Absent, Codec(str, _whole)]
Count = Annotated[int | None, Codec(_optional, lambda text: int(text) if text else None)]
Quoted = Annotated[Mapping[str, str], Spread("", None, TEXT)]
PrintedGain = Annotated[Decimal | None, Codec(_decimal, number)]
