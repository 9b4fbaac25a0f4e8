"""Cells with types: a number, or the reason why there is none.

Cells are written as text into CSV files, and read back from them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, TypeGuard


class Absent(StrEnum):
    """The reason why a cell holds no number."""

    NONE = ""  # no number belongs there
    MISSING = "missing"  # the number was not made yet
    FAILED = "failed"  # the run that makes it ended with an error
    UNKNOWN = "unknown"  # it cannot be computed from the runs that exist
    UNDEFINED = "-"  # the dataset lacks the annotations that it needs


Value = float | Absent


class Codec(NamedTuple):
    """How a column's values are written as text and read back."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


class Spread(NamedTuple):
    """How a mapping is written: every key is a column of its own, whose name starts with `prefix`.

    `keys` are the columns that are read back. With None nothing is read back, because the columns
    differ from table to table.
    """

    prefix: str
    keys: tuple[str, ...] | None
    codec: Codec


def known(value: Value) -> TypeGuard[float]:
    """Tells whether a cell holds a number."""
    return not isinstance(value, Absent)


def value_of(number: float | None, absent: Absent = Absent.NONE) -> Value:
    """Gives the number, or the reason why there is none; NaN counts as none."""
    return absent if number is None or math.isnan(number) else number


def rounded(value: Value, digits: int = 2, sign: str = "") -> str:
    """Writes a value as cells show it, never as "-0.00".

    Args:
        value: a number, or the reason why there is none.
        digits: the number of decimals.
        sign: "+" to write the sign of positive numbers as well.
    """
    if not known(value):
        return str(value)
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def plain(value: Value) -> str:
    """Writes a level with two decimals."""
    return rounded(value)


def signed(value: Value) -> str:
    """Writes a difference with its sign and two decimals."""
    return rounded(value, sign="+")


def absent(status: str, other: Absent = Absent.MISSING) -> Absent:
    """Gives the word for a number that a row lacks: by its status, else the other word."""
    return {"failed": Absent.FAILED, "missing": Absent.MISSING}.get(status, other)


def mean(values: Sequence[float | None]) -> float | None:
    """Averages over seeds; there is no mean where a seed has nothing to compute it from."""
    present = [value for value in values if value is not None]
    return sum(present) / len(present) if present and len(present) == len(values) else None


def _value(text: str) -> Value:
    if text in set(Absent):
        return Absent(text)
    if not math.isfinite(number := float(text)):
        raise ValueError(f"'{text}' is no number")
    return number


def _whole(text: str) -> int | Absent:
    return Absent(text) if text in set(Absent) else int(text)


def _decimal(value: Decimal | None) -> str:
    return "" if value is None else f"{value:+}"


def _optional(value: int | None) -> str:
    return "" if value is None else str(value)


def number(printed: str) -> Decimal | None:
    """Reads a printed cell as an exact number; gives None for "-", "" and words."""
    try:
        return Decimal(printed)
    except InvalidOperation:
        return None


def _printed(text: str) -> Decimal | None:
    found = number(text)
    if text and (found is None or not found.is_finite()):
        raise ValueError(f"'{text}' is no number")
    return found


def digits(count: int) -> Codec:
    """Gives the codec of numbers with this many decimals."""
    return Codec(lambda value: rounded(value, count), _value)


FINE: Final = 4  # decimals of deviations that more is computed from
TEXT: Final = Codec(str, str)
INTEGER: Final = Codec(str, int)
Level = Annotated[Value, digits(2)]
Difference = Annotated[Value, Codec(signed, _value)]
Share = Annotated[Value, digits(3)]
Fine = Annotated[Value, digits(FINE)]
Tenths = Annotated[Value, digits(1)]
Parameters = Annotated[int | Absent, Codec(str, _whole)]
Count = Annotated[int | None, Codec(_optional, lambda text: int(text) if text else None)]
Quoted = Annotated[Mapping[str, str], Spread("", None, TEXT)]
PrintedGain = Annotated[Decimal | None, Codec(_decimal, _printed)]
