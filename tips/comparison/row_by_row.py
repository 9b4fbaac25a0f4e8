"""Compares two studies row by row: differing settings, and paired differences with intervals."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tips.chain import differences
from tips.comparison.reproduced import Compared, State, compare
from tips.comparison.sides import Side
from tips.evaluation import intervals
from tips.evaluation.intervals import Interval, Row
from tips.records import read_object
from tips.tables.collect import Collected
from tips.tables.runs import Group


class Between(NamedTuple):
    """One row of two studies; `keys` lists settings as "training.epochs: 25 -> 30"."""

    name: str
    state: State
    first: float | None  # mean of the seeds, percent
    second: float | None
    keys: tuple[str, ...] = ()
    difference: Interval | None = None  # second - first, on the same sequences


def between(first: Side, second: Side) -> list[Between]:
    """Compares all rows of two studies; a row that the first lacks is *extra*.

    The difference of a row is paired by sequence, if both studies have the same validation
    sequences and labels; its interval holds the variance between seeds, too, because the seeds of
    the two studies are different trainings.

    Args:
        first: the study that is compared.
        second: the one that it is compared with.
    """
    paired = comparable(first, second)
    return [_between(row, first, second, paired) for row in compare(second.numbers, first.numbers)]


def comparable(first: Side, second: Side) -> bool:
    """Tells whether the rows of two studies were measured on the same sequences and labels."""
    one, other = first.numbers, second.numbers
    return bool(one.annotations) and one.annotations == other.annotations


def _between(row: Compared, first: Side, second: Side, paired: bool) -> Between:
    one, other = row.there, row.here
    if one is None or other is None:
        return Between(
            row.name, row.state, one.mean if one else None, other.mean if other else None
        )
    found = Between(row.name, row.state, one.mean, other.mean)
    if first.found is None or second.found is None:
        return found
    group = Group(one.variant, one.boxes)
    then, now = _meaning(first.found, group), _meaning(second.found, group)
    keys = differences(then, now) if then and now else []
    difference = _paired(group, first.found, second.found) if paired else None
    return found._replace(keys=tuple(keys), difference=difference)


def _meaning(found: Collected, group: Group) -> Mapping[str, Any]:
    """Reads the settings of the training of a group's first run."""
    for file in found.files:
        record = file.folder / "provenance.json"
        if file.group == group and record.is_file():
            told = read_object(record).get("meaning", {})
            return told if isinstance(told, Mapping) else {}
    return {}


def _paired(group: Group, first: Collected, second: Collected) -> Interval | None:
    """Computes the interval of second - first from runs in the order of their seeds."""
    sides = [one.results.groups.get(group) for one in (second, first)]
    rows = [None if one is None else one.row for one in sides]
    if (
        rows[0] is None
        or rows[1] is None
        or rows[0].resampled.shape[1] != rows[1].resampled.shape[1]
    ):
        return None
    count = min(len(one.seeds) for one in rows if one is not None)
    ours, other = (_first(one, count) for one in rows if one is not None)
    if ours.sequences != other.sequences:
        return None
    variances = [
        one.results.variance.of(kind, kind)
        for one in (first, second)
        for kind in [one.results.kind(group.variant)]
    ]
    return intervals.interval(ours, other, max(variances))


def _first(row: Row, count: int) -> Row:
    """Takes the first runs of a row, and numbers them from 0."""
    return row._replace(
        seeds=tuple(range(count)),
        points=row.points[:count],
        resampled=row.resampled[:count],
        shared=False,
    )
