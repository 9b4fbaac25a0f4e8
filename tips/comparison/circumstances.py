"""Finds what differs in how two studies were made: data, settings, code, versions, machines."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from tips.comparison.reproduced import Compared
from tips.tables.study_numbers import Numbers

UNTOLD = "does not say how it was made"


class Difference(NamedTuple):
    """One thing that differs: what was found here, and what there."""

    what: str
    here: str
    there: str


def differences(here: Numbers, there: Numbers, rows: Sequence[Compared]) -> list[Difference]:
    """Lists what differs in how two studies were made, what matters most first.

    Args:
        here: the study that is looked at.
        there: the other one.
        rows: their compared rows, of which those in both are looked at.
    """
    both = [(row.here, row.there) for row in rows if row.here and row.there]
    found = [
        *_digests("data", here.data, there.data),
        *_digests("validation annotations", here.annotations, there.annotations),
        *_of_rows("configuration", [(a.name, a.configuration, b.configuration) for a, b in both]),
        *_of_rows("code", [(a.name, a.code, b.code) for a, b in both]),
    ]
    if here.sequences != there.sequences:
        found.insert(0, Difference("sequences", str(here.sequences), str(there.sequences)))
    ours, theirs = _facts(here), _facts(there)
    for fact in sorted(ours.keys() & theirs.keys()):
        if ours[fact] != theirs[fact]:
            found.append(Difference(fact, *_shown(ours[fact], theirs[fact])))
    return found


def _digests(what: str, here: str, there: str) -> list[Difference]:
    known = here and there and here != there
    return [Difference(what, here[:12], there[:12])] if known else []


def _of_rows(
    what: str, pairs: Iterable[tuple[str, Sequence[str], Sequence[str]]]
) -> list[Difference]:
    """Counts the rows that differ in something; rows that do not tell it are left out."""
    told = [(name, here, there) for name, here, there in pairs if here and there]
    other = [name for name, here, there in told if set(here) != set(there)]
    if not other:
        return []
    named = ", ".join(other[:3]) + (", ..." if len(other) > 3 else "")
    return [Difference(what, f"differs in {len(other)} of {len(told)} rows", named)]


def _facts(numbers: Numbers) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for one in numbers.made:
        for fact, value in one.facts.items():
            found.setdefault(fact, set()).add(value)
    return found


def _shown(here: set[str], there: set[str]) -> tuple[str, str]:
    """Words two sets of values; of lists of words, only those that the other side lacks."""
    if all(len(one) == 1 for one in (here, there)):
        ours, theirs = (set(next(iter(one)).split()) for one in (here, there))
        if len(ours) > 4 or len(theirs) > 4:
            return (
                f"also {' '.join(sorted(ours - theirs))}" if ours - theirs else "",
                f"also {' '.join(sorted(theirs - ours))}" if theirs - ours else "",
            )
    return "; ".join(sorted(here)), "; ".join(sorted(there))


def in_short(found: Sequence[Difference], there: Numbers) -> str:
    """Names in a few words what differs; says so if the other study does not tell it."""
    if not there.made:
        return f"the reference {UNTOLD}"
    return f"other {', '.join(one.what for one in found)}" if found else "made alike"


def as_json(found: Sequence[Difference]) -> list[Mapping[str, str]]:
    """Gives the differences in the form of the JSON file."""
    return [one._asdict() for one in found]
