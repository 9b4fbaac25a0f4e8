"""Shows what differs between two studies: rows, settings, numbers, verdicts, machines."""

from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from rich.console import Console
from rich.table import Table

from tips import records
from tips.comparison import circumstances
from tips.comparison.as_it_is import plain
from tips.comparison.circumstances import Difference
from tips.comparison.flips import Flip, by_cause, flips
from tips.comparison.reproduced import compare
from tips.comparison.row_by_row import Between, between, comparable
from tips.comparison.sides import Side, side
from tips.config import ConfigError
from tips.progress import track

HEADER: Final = ("row", "", "A", "B", "B - A", "settings that differ")
FLIPPED: Final = ("", "the paper concludes", "A", "B", "because of")


class Found(NamedTuple):
    """Everything that differs."""

    rows: list[Between]
    flips: list[Flip]
    made: list[Difference]


def run(a: Path, b: Path, scale: str = "desk", root: str = "", json: Path | None = None) -> None:
    """Shows what differs between two studies, whatever their scales are.

    For each row it lists the settings that differ, and B - A with a 95 % interval where both were
    measured on the same validation sequences: paired by sequence, with the variance between seeds.
    Then follow the paper's conclusions with another verdict, and whether the number or the rule
    changed it, and what differs in data, code, versions and machines. Nothing is written.

    Args:
        a: Names a project's folder, a folder of results, an archive or a numbers.json.
        b: Names the other one.
        scale: Takes the studies of this scale in projects that hold several.
        root: Sets the dataset folder if the scale has none.
        json: Also writes the answer to this file, as json.

    Raises:
        ConfigError: one of them is no study, or they are of different datasets or metrics.
        RecordError: a file is missing or malformed.
    """
    progress = partial(track, label="reading")
    with side(a, scale, root, progress) as first, side(b, scale, root, progress) as second:
        _judge(first, second)
        rows = between(first, second)
        compared = compare(second.numbers, first.numbers)
        made = circumstances.differences(first.numbers, second.numbers, compared)
        found = Found(rows, flips(first.numbers, second.numbers), made)
        if json is not None:
            records.write_json(_as_json(first, second, found), json)
        _show(first, second, found)


def _judge(first: Side, second: Side) -> None:
    """Refuses numbers of different kinds. Raises ConfigError."""
    one, other = first.numbers, second.numbers
    if (one.dataset, one.metric) != (other.dataset, other.metric):
        raise ConfigError(
            f"{first.name} is of dataset {one.dataset} ({one.metric}) and {second.name} of "
            f"{other.dataset} ({other.metric}); only studies of one dataset can be compared"
        )


def _show(first: Side, second: Side, found: Found) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print(plain(f"A: {_named(first)}"))
    console.print(plain(f"B: {_named(second)}"))
    table = Table(*HEADER, box=None)
    for row in found.rows:
        table.add_row(*map(plain, _cells(row)))
    console.print(table)
    if found.flips:
        flipped = Table(*FLIPPED, box=None)
        for one in found.flips:
            flipped.add_row(*map(plain, (one.name, one.claim, *one.said, one.cause)))
        console.print(flipped)
    if found.made:
        made = Table("what differs", "A", "B", box=None)
        for difference in found.made:
            made.add_row(*map(plain, difference))
        console.print(made)
    console.print(plain(summary(first, second, found)))


def _named(one: Side) -> str:
    runs = "" if one.found is not None else ", numbers alone"
    return f"{one.name} (scale {one.numbers.scale}, dataset {one.numbers.dataset}{runs})"


def _cells(row: Between) -> tuple[str, ...]:
    state = {"missing": "only in A", "extra": "only in B"}.get(row.state, "")
    state = row.state if row.state in ("identical", "same digits") else state
    levels = ("" if one is None else f"{one:.2f}" for one in (row.first, row.second))
    return (row.name, state, *levels, _difference(row), "; ".join(row.keys))


def _difference(row: Between) -> str:
    if row.difference is None:
        known = row.first is not None and row.second is not None
        return f"{row.second - row.first:+.2f}" if known else ""  # type: ignore[operator]
    one = row.difference
    return f"{one.difference:+.2f} " + (
        f"[{one.low:+.2f}, {one.high:+.2f}]" if one.known else "[interval unknown]"
    )


def summary(first: Side, second: Side, found: Found) -> str:
    """Writes the last line: how many rows and verdicts differ, and how."""
    only = {state: sum(row.state == state for row in found.rows) for state in ("missing", "extra")}
    both = len(found.rows) - sum(only.values())
    known = [row.difference for row in found.rows if row.difference and row.difference.known]
    apart = sum(one.separable for one in known)
    parts = [f"{both} rows in both", f"{only['missing']} only in A", f"{only['extra']} only in B"]
    if known:
        parts.append(f"{apart} of {len(known)} differences are separable from 0")
    elif not comparable(first, second):
        parts.append("not the same validation data, or not known to be: no paired differences")
    verdicts = max(len(one.numbers.conclusions) for one in (first, second))
    causes = f" ({by_cause(found.flips)})" if found.flips else ""
    parts.append(f"{len(found.flips)} of {verdicts} verdicts differ{causes}")
    return "; ".join(parts)


def _as_json(first: Side, second: Side, found: Found) -> dict[str, Any]:
    return {
        "a": first.name,
        "b": second.name,
        "rows": [_row_as_json(row) for row in found.rows],
        "verdicts": [
            {"name": one.name, "claim": one.claim, "a": one.said[0], "b": one.said[1]}
            | {"cause": one.cause}
            for one in found.flips
        ],
        "differences": circumstances.as_json(found.made),
        "summary": summary(first, second, found),
    }


def _row_as_json(row: Between) -> dict[str, Any]:
    told: dict[str, Any] = {
        "row": row.name,
        "state": row.state,
        "a": row.first,
        "b": row.second,
        "settings": list(row.keys),
    }
    if row.difference is not None:
        one = row.difference
        numbers = {"difference": one.difference, "low": one.low, "high": one.high}
        told |= records.without_nan(numbers) | {"seeds": one.n_seeds, "sequences": one.n_sequences}
    return told
