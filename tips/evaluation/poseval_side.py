"""What one file of either of PoseTrack's json forms holds, and how its mistakes are named."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np

from tips.evaluation.people import NOWHERE, Bools, Floats
from tips.records import RecordError

NO_SCORE = -9999.0  # of a predicted joint without a score
Name = Callable[[int], str]
_NUMBERS = {int, float}


class Rectangles(NamedTuple):
    """One rectangle per person, where the file has one."""

    values: Floats  # (n, 4)
    given: Bools  # (n,)


class Again(NamedTuple):
    """A joint that is listed once more: it counts if an ignore region takes the ones before it."""

    person: int
    joint: int
    point: Floats  # (2,)
    score: float


class Side(NamedTuple):
    """One file: all its people under each other, frame by frame, and the names of its records."""

    joints: Floats  # (n, 15, 2), see `people`
    scores: Floats  # (n, 15)
    again: list[Again]
    heads: Rectangles  # x1, y1, x2, y2; of the truth
    boxes: Rectangles  # x, y, width, height; of the truth
    people: Floats  # (n,) one score per person, NaN where the file has none
    tracks: Floats  # (n,) NaN where the file has none
    starts: list[int]  # (F + 1,) first person of every frame, then the number of people
    ignore: list[list[Floats] | None]  # (F,) of the truth, None where the record does not say
    labelled: list[Any]  # (F,) is_labeled, None where the record does not say
    frame_name: Name
    person_name: Name


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Turns what a malformed record does to its reader into a RecordError that names it."""
    try:
        yield
    except RecordError:
        raise
    except KeyError as error:
        raise RecordError(f"{where}: no {error.args[0]!r}; every such record has it") from error
    except (IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(f"{where}: malformed ({error}); compare PoseTrack's format") from error


def listed(value: Any, what: str) -> list[Any]:
    """The value if it is a json list. Raises TypeError."""
    if not isinstance(value, list):
        raise TypeError(f"{what} must be a list; got {short(value)}")
    return value


def numbers(values: Sequence[Any], name: Name) -> Floats:
    """Json numbers as an array; NaN and infinity are numbers here.

    Args:
        values: as the json has them.
        name: of the record that a place of `values` comes from.

    Raises:
        RecordError: a value is no number, say null or a text.
    """
    if not set(map(type, values)) <= _NUMBERS:
        index, bad = next((i, v) for i, v in enumerate(values) if type(v) not in _NUMBERS)
        raise RecordError(f"{name(index)}: {short(bad)} where a number belongs; write a number")
    with naming(name(0) if values else ""):
        return np.array(values, dtype=np.float64)


def optional(values: Sequence[Any], name: Name) -> Floats:
    """As `numbers`, NaN for null."""
    return numbers([float("nan") if value is None else value for value in values], name)


def rectangles(rows: Sequence[Sequence[Any] | None], name: Name) -> Rectangles:
    """Four numbers per person, NaN for None. Raises RecordError."""
    given = np.array([row is not None for row in rows], dtype=np.bool_)
    places = np.flatnonzero(given).tolist()
    for place in places:
        row = rows[place]
        if not isinstance(row, (list, tuple)) or len(row) != 4:
            raise RecordError(f"{name(place)}: a rectangle has 4 numbers; got {short(row)}")
    values = np.full((len(rows), 4), np.nan)
    flat = list(chain.from_iterable(rows[place] or () for place in places))
    values[given] = numbers(flat, lambda index: name(places[index // 4])).reshape(-1, 4)
    return Rectangles(values, given)


def placed(points: Floats) -> Floats:
    """Points (..., 2) of listed joints; one without numbers exists all the same, nowhere."""
    return np.where(np.isnan(points).any(axis=-1, keepdims=True), NOWHERE, points)
