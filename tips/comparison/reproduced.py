"""Compares the rows of two studies by their numbers: equal, within the joint interval, outside."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import mean
from typing import Final, Literal, NamedTuple, get_args

from tips.tables.study_numbers import Gained, Numbers, NumbersRow

State = Literal["identical", "same digits", "within", "outside", "not judged", "missing", "extra"]
STATES: Final[tuple[State, ...]] = get_args(State)
LAST_DIGIT: Final = 0.01  # points; two numbers that are rounded to it differ by as much


class Pair(NamedTuple):
    """The gain of a row over one baseline in both studies, points."""

    over: str
    here: float
    there: float
    half_width: float | None  # of the joint interval; None where an interval is unknown

    @property
    def outside(self) -> bool:
        """Whether the gains differ by more than the joint interval allows."""
        apart = abs(self.here - self.there)
        return self.half_width is not None and apart > self.half_width + LAST_DIGIT

    def distance(self) -> tuple[float, float]:
        """How far apart the gains are: in half widths where these are known, and in points."""
        apart = abs(self.here - self.there)
        return (apart / max(self.half_width, LAST_DIGIT) if self.half_width else 0.0, apart)


class Compared(NamedTuple):
    """One row in both studies."""

    name: str
    state: State
    here: NumbersRow | None
    there: NumbersRow | None
    gains: tuple[Pair, ...] = ()

    @property
    def farthest(self) -> Pair | None:
        """The gain that differs most, by the joint interval where that is known; None without."""
        return max(self.gains, key=Pair.distance, default=None)

    @property
    def level(self) -> float | None:
        """The difference of the rows' means, points; None if one of them is missing."""
        if self.here is None or self.there is None:
            return None
        here, there = self.here.mean, self.there.mean
        return None if here is None or there is None else here - there


def compare(here: Numbers, there: Numbers) -> list[Compared]:
    """Compares every row of two studies of the same task.

    A row is *identical* if its predictions are (by digest) and score the same; it has the *same
    digits* if all its numbers are equal as they are printed. Else its gains decide: each over the
    baselines of the tables lies *within* the joint interval, whose half width is the root of the
    sum of both squared half widths, or *outside*. A row without gains or intervals is *not judged*,
    because levels differ between machines and seeds. Rows that neither study measured are left out.

    Args:
        here: the study that is looked at.
        there: the reference.
    """
    ours, theirs = (
        {key: row for key, row in side.by_name.items() if row.seeds} for side in (here, there)
    )
    return [_compared(ours.get(key), theirs.get(key)) for key in {**theirs, **ours}]


def _compared(here: NumbersRow | None, there: NumbersRow | None) -> Compared:
    """Compares two rows, of which one may be missing."""
    if here is None or there is None:
        name = here.name if here else there.name if there else ""
        return Compared(name, "extra" if here else "missing", here, there)
    gains = tuple(_pairs(here.gains, there.gains))
    return Compared(here.name, _state(here, there, gains), here, there, gains)


def _state(here: NumbersRow, there: NumbersRow, gains: Sequence[Pair]) -> State:
    if here.seeds == there.seeds:
        if here.predictions == there.predictions:
            return "identical"
        if all(abs(one.here - one.there) < LAST_DIGIT / 2 for one in gains):
            return "same digits"
    if any(one.outside for one in gains):
        return "outside"
    return "within" if any(one.half_width is not None for one in gains) else "not judged"


def _pairs(here: dict[str, Gained], there: dict[str, Gained]) -> Iterable[Pair]:
    for over in sorted(here.keys() & there.keys()):
        one, other = here[over], there[over]
        if one.gain is not None and other.gain is not None:
            yield Pair(over, one.gain, other.gain, joint(one.half_width, other.half_width))


def joint(one: float | None, other: float | None) -> float | None:
    """Gives the half width of the interval of a difference of two independent differences."""
    return None if one is None or other is None else math.hypot(one, other)


def counts(rows: Iterable[Compared]) -> dict[State, int]:
    """Counts the rows by state, in the order of STATES; states without rows are left out."""
    found = Counter(row.state for row in rows)
    return {state: found[state] for state in STATES if found[state]}


def level(rows: Iterable[Compared]) -> float | None:
    """Averages the differences of the rows' means, points; None without any."""
    known = [row.level for row in rows if row.level is not None]
    return mean(known) if known else None
