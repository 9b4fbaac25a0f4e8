"""The content of one file in either of PoseTrack's json forms, and messages about its mistakes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np

from tips.evaluation.people import NOWHERE, Bools, Floats
from tips.records import RecordError

NO_SCORE = -9999.0  # score of a predicted joint without one
Name = Callable[[int], str]
_NUMBERS = {int, float}


class Rectangles(NamedTuple):
    """The rectangles of all people of a file."""

    values: Floats  # (n, 4) NaN where the file has none
    given: Bools  # (n,) whether the file has one


class Again(NamedTuple):
    """A joint that is listed again; it counts if earlier entries lie in an ignore region."""

    person: int
    joint: int
    point: Floats  # (2,)
    score: float


class Side(NamedTuple):
    """One file: the n people of its F frames, one frame after the other, and names of records."""

    joints: Floats  # (n, 15, 2) image px; NaN and `NOWHERE` as in `tips.evaluation.people`
    scores: Floats  # (n, 15)
    again: list[Again]
    heads: Rectangles  # x1, y1, x2, y2; for the truth only
    boxes: Rectangles  # x, y, width, height; for the truth only
    people: Floats  # (n,) one score per person, NaN where the file has none
    tracks: Floats  # (n,) NaN where the file has none
    starts: list[int]  # (F + 1,) first person of every frame, then the number of people
    ignore: list[list[Floats] | None]  # (F,) for the truth only; None where the record has none
    labelled: list[Any]  # (F,) is_labeled, None where the record has none
    frame_name: Name
    person_name: Name


@contextmanager
def naming(where: str) -> Iterator[None]:
    """Turns the errors that a malformed record causes into a RecordError that names the record."""
    try:
        yield
    except RecordError:
        raise
    except KeyError as error:
        raise RecordError(f"{where}: no {error.args[0]!r}; every such record has it") from error
    except (IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise RecordError(f"{where}: malformed ({error}); compare PoseTrack's format") from error


def listed(value: Any, what: str) -> list[Any]:
    """Returns the value if it is a json list. Raises TypeError if not."""
    if not isinstance(value, list):
        raise TypeError(f"{what} must be a list; got {short(value)}")
    return value


def numbers(values: Sequence[Any], name: Name) -> Floats:
    """Makes an array of json numbers, among which NaN and infinity are allowed.

    Args:
        values: values of the json.
        name: gives the name of the record that a place of `values` comes from.

    Raises:
        RecordError: if a value is no number, but null or a text, for example.
    """
    if not set(map(type, values)) <= _NUMBERS:
        index, bad = next((i, v) for i, v in enumerate(values) if type(v) not in _NUMBERS)
        raise RecordError(f"{name(index)}: {short(bad)} where a number belongs; write a number")
    with naming(name(0) if values else ""):
        return np.array(values, dtype=np.float64)


def optional(values: Sequence[Any], name: Name) -> Floats:
    """Makes an array of json numbers as `numbers` does, with NaN for null."""
    return numbers([float("nan") if value is None else value for value in values], name)


def rectangles(rows: Sequence[Sequence[Any] | None], name: Name) -> Rectangles:
    """Makes rectangles of four numbers per person, NaN for None. Raises RecordError otherwise."""
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
    """Moves listed joints (..., 2) whose coordinates are no numbers to `NOWHERE`."""
    return np.where(np.isnan(points).any(axis=-1, keepdims=True), NOWHERE, points)
