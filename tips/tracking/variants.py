"""Tells what a study's tables say of its variants, as tags and metrics."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from tips.config import BACKBONE, CAPACITY_CONTROL
from tips.tables.cells import known
from tips.tables.claims import ClaimRow
from tips.tables.compared import Gain, Line
from tips.tables.published import Tables
from tips.tracking.shown import GAIN, HIGH, LOW, gain_name

ORIGIN: Final = "tips.origin"  # this tag tells whose network a table's row shows
PARENT: Final = "tips.parent"  # the variant that a variant's file extends
DIFFERS: Final = "tips.differs"  # the settings in which it differs from its parent
ROW: Final = "table."  # starts the tags that give a variant's rows in one table
TABLES: Final = "tables"  # this tag lists the tables that a variant fills
VERDICT: Final = "verdict"  # what the interval of the gain over the single-frame backbone says
CONCLUSIONS: Final = "conclusions"  # what was found of the paper's conclusions on a variant
# Every tag that is not of a run alone, but of what the study says of its variant at the moment.
OF_STUDY: Final = re.compile(
    rf"{ORIGIN}|{PARENT}|{DIFFERS}|{re.escape(ROW)}.*|{TABLES}|{VERDICT}|{VERDICT} .*|{CONCLUSIONS}"
)

Tags = dict[str, dict[str, str]]  # variant -> name -> value
Rows = Mapping[str, Sequence[Line]]  # the rows of every table that compares, by its stem


class Compared(NamedTuple):
    """One gain of a variant."""

    variant: str
    over: str
    gain: Gain


def table_tags(tables: Tables) -> Tags:
    """Tells which rows of which tables a variant fills, and whose network it is.

    Returns:
        Variant -> {"tips.origin": "ours", "tables": "II", "table.II": "e", ...}.
    """
    tags: Tags = {}
    for table in tables.tables:
        for row in table.rows:
            if row.variant is None or row.boxes != "gt":
                continue
            name = f"{ROW}{table.roman}"
            own = tags.setdefault(row.variant, {ORIGIN: tables.origin(row)})
            if name in own:
                own[name] += f", {row.row}"
            else:
                own[name] = row.row
                own[TABLES] = f"{own[TABLES]}, {table.roman}" if TABLES in own else table.roman
    return tags


def table_gains(tables: Tables, rows: Rows) -> dict[str, dict[str, float]]:
    """Gives the gains that the tables show, with the ends of their intervals.

    Args:
        tables: the published tables; rows that they measure on unusual boxes are left out.
        rows: the rows of every table that compares, by its stem.

    Returns:
        Variant -> {"gain": 1.2, "low": 0.4, "high": 2.0, "various/over concat-wide/gain": 1, ...}.
    """
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for variant, over, gain in _compared(tables, rows):
        ends = {GAIN: gain.value, LOW: gain.low, HIGH: gain.high}
        found[variant] |= {gain_name(over, end): one for end, one in ends.items() if known(one)}
    return dict(found)


def verdict_tags(tables: Tables, rows: Rows, claims: Iterable[ClaimRow]) -> Tags:
    """Tells the verdicts on a variant's gains, and on the paper's conclusions that it decides.

    Args:
        tables: the published tables; rows that they measure on unusual boxes are left out.
        rows: the rows of every table that compares, by its stem.
        claims: the conclusions.

    Returns:
        Variant -> {"verdict": "above", "verdict over concat-wide": "below",
        "conclusions": "shown: II (e) - HRNet, the full model beats ...; ..."}.
    """
    tags: Tags = defaultdict(dict)
    for variant, over, gain in _compared(tables, rows):
        if gain.verdict:
            tags[variant][VERDICT if over == BACKBONE else f"{VERDICT} over {over}"] = gain.verdict
    said: dict[str, list[str]] = defaultdict(list)
    for claim in claims:
        variant = str(tables.table(claim.table).row(claim.row).variant)
        said[variant].append(f"{claim.found}: {claim.table_roman} {claim.pair}, {claim.said}")
    for variant, lines in said.items():
        tags[variant][CONCLUSIONS] = "; ".join(sorted(lines))
    return dict(tags)


def joined(*parts: Tags) -> Tags:
    """Puts the tags of several sources together."""
    names = dict.fromkeys(name for part in parts for name in part)
    return {name: {k: v for part in parts for k, v in part.get(name, {}).items()} for name in names}


def _compared(tables: Tables, rows: Rows) -> Iterator[Compared]:
    """Lists the gains of all variants, as often as tables show them."""
    apart = {
        (f"table-{table.name}", row.row)
        for table in tables.tables
        for row in table.rows
        if row.boxes != "gt"
    }
    for stem, lines in rows.items():
        for line in lines:
            if line.variant and (stem, line.row) not in apart:
                yield Compared(line.variant, line.baseline, line.gain)
                yield Compared(line.variant, CAPACITY_CONTROL, line.wide)
