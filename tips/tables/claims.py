"""Compares pairs of rows as the paper does: its difference, ours, and what ours decides."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, NamedTuple

from tips.evaluation.intervals import ENOUGH_SEEDS, ENOUGH_SEQUENCES, Interval
from tips.evaluation.power import Spread, needs
from tips.evaluation.verdicts import Expects, holm, p_value, verdict
from tips.tables.cells import (
    FINE,
    Absent,
    Count,
    Difference,
    Fine,
    Value,
    digits,
    known,
    number,
    rounded,
    value_of,
)
from tips.tables.collect import Collected
from tips.tables.compared import MISSED, UNKNOWN, Gain, gain_from, key
from tips.tables.published import MARGIN, Claim, Table
from tips.tables.row import Row
from tips.tables.runs import Group
from tips.tables.sheet import Sheet

SHOWN, OPPOSITE, EQUIVALENT, UNDECIDED = "shown", "opposite", "equivalent", "undecided"
MISSING = "missing"
Margin = Annotated[float, digits(1)]


class Decidable:
    """Base of rows with a difference that is tested: what its variance was computed from."""

    p_adjusted: Fine
    n_seeds: Count
    n_sequences: int
    sequences_sd: Fine
    seeds_sd: Fine

    @property
    def spread(self) -> Spread | None:
        """The variance of the difference; None if it cannot be tested."""
        if not (known(self.p_adjusted) and known(self.sequences_sd) and known(self.seeds_sd)):
            return None
        return Spread(self.sequences_sd, self.seeds_sd, self.n_sequences, self.n_seeds or 1)


@dataclass(frozen=True)
class ClaimRow(Decidable, Row):
    """One conclusion: row `row` of a table is better than row `than`, or about as good."""

    table: str
    table_roman: str
    claim: str
    row: str
    than: str
    part: str  # the part of Fig. 4 whose OKS is compared; "" compares the total
    expects: Expects
    paper: str  # difference of the printed numbers
    ours: Difference
    low: Difference
    high: Difference
    margin: Margin  # a difference that is surely smaller counts as none
    p_adjusted: Fine  # two-sided, by Holm for the number of conclusions that can be checked
    verdict: str  # shown, opposite, equivalent, undecided, unknown, missing
    decides: str  # what would decide it, if nothing does
    n_seeds: Count
    n_sequences: int
    sequences_sd: Fine  # of the difference, by resampled sequences
    seeds_sd: Fine  # of the difference of one seed, without what resampled sequences hold
    than_origin: str

    @property
    def gain(self) -> Gain:
        """Our difference with its interval."""
        return Gain(self.ours, self.low, self.high, self.verdict)

    @property
    def said(self) -> str:
        """The conclusion; it names the origin of the other network if that is not ours."""
        written_again = self.than_origin.startswith("re-implemented,")
        return f"{self.claim} ({self.than_origin})" if written_again else self.claim

    @property
    def pair(self) -> str:
        """Both rows as the paper prints their keys, and the part of Fig. 4 if it is one."""
        part = f", OKS of {self.part}" if self.part else ""
        return f"{key(self.row)} - {key(self.than)}{part}"

    @property
    def name(self) -> str:
        """A short name, such as II:e-b."""
        part = f":{self.part}" if self.part else ""
        return f"{self.table_roman}:{self.row}-{self.than}{part}"

    @property
    def within(self) -> str:
        """The margin as pages print it; it says if the margin is the paper's own step."""
        step = "" if self.margin >= MARGIN else " (the paper's step)"
        return f"±{self.margin:g}{step}"

    @property
    def found(self) -> str:
        """The verdict; an equivalence with its margin."""
        within = f" within ±{self.margin:g}" if self.verdict == EQUIVALENT else ""
        return f"{self.verdict}{within}"


class _Compared(NamedTuple):
    """A claim of a table, and what was measured of it; None if a run is missing."""

    table: Table
    claim: Claim
    interval: Interval | None


def checked(rows: Sequence[ClaimRow]) -> int:
    """Counts the conclusions that can be checked, for which Holm's method adjusts."""
    return sum(known(row.p_adjusted) for row in rows)


def _fill(found: Collected) -> list[ClaimRow]:
    pairs = [_compared(table, one, found) for table in found.tables.tables for one in table.claims]
    p_values = adjusted([pair.interval for pair in pairs])
    rows = [_row(pair, p, found) for pair, p in zip(pairs, p_values, strict=True)]
    count = checked(rows)
    return [replace(row, decides=_decides(row, count)) for row in rows]


def _compared(table: Table, claim: Claim, found: Collected) -> _Compared:
    boxes = found.study.scale.evaluation.boxes
    results = found.parts[claim.part] if claim.part else found.results
    one, other = (Group(str(table.row(name).variant), boxes) for name in (claim.row, claim.than))
    return _Compared(table, claim, results.gain(one, other))


def adjusted(intervals: Sequence[Interval | None]) -> list[float | None]:
    """Gives the p-values, adjusted by Holm; None where the interval is unknown or missing."""
    sure = [one for one in intervals if one is not None and one.known]
    values = iter(holm([p_value(one.difference, one.sd) for one in sure]))
    return [next(values) if one is not None and one.known else None for one in intervals]


def _row(pair: _Compared, p_adjusted: float | None, found: Collected) -> ClaimRow:
    table, claim, interval = pair
    than, margin = table.row(claim.than), float(claim.margin)
    gain = gain_from(interval) if interval is not None else MISSED
    word = Absent.UNKNOWN if interval is not None else Absent.MISSING
    said = str(word)
    if interval is not None and p_adjusted is not None:
        said = verdict(interval.difference, interval.sd, margin, p_adjusted, claim.expects)
    deviations = (interval.bootstrap_sd, interval.seed_sd) if interval is not None else (None, None)
    # Rounded as in the file, so that who reads it there computes the same seeds and sequences.
    of_sequences, of_seeds = (None if sd is None else round(sd, FINE) for sd in deviations)
    return ClaimRow(
        table=table.name,
        table_roman=table.roman,
        claim=claim.says,
        row=claim.row,
        than=claim.than,
        part=claim.part or "",
        expects=claim.expects,
        paper=_difference(table.paper(table.row(claim.row)), table.paper(than)),
        ours=gain.value,
        low=gain.low,
        high=gain.high,
        margin=margin,
        p_adjusted=value_of(p_adjusted, word),
        verdict=said,
        decides="",
        n_seeds=None if interval is None else interval.n_seeds,
        n_sequences=len(found.annotations.sequences),
        sequences_sd=value_of(of_sequences, word),
        seeds_sd=value_of(of_seeds, word),
        than_origin=found.tables.origin(than),
    )


def _difference(ours: str, other: str) -> str:
    """Subtracts two printed numbers, with one decimal; gives "" if one of them is missing."""
    first, second = number(ours), number(other)
    return "" if first is None or second is None else f"{first - second:+.1f}"


def _decides(row: ClaimRow, conclusions: int) -> str:
    """Says what would decide a conclusion that nothing decides; "" for another one."""
    if row.verdict == UNKNOWN:
        return lacking(row.n_sequences, row.seeds_sd)
    if row.verdict != UNDECIDED or row.spread is None:
        return ""
    return needed(row.spread, row.margin, conclusions)


def lacking(n_sequences: int, seeds_sd: Value) -> str:
    """Says what an interval lacks that is unknown.

    Args:
        n_sequences: the number of validation sequences.
        seeds_sd: the deviation between seeds, which may be unknown.
    """
    found = []
    if n_sequences < ENOUGH_SEQUENCES:
        found.append(f"{ENOUGH_SEQUENCES} validation sequences")
    if not known(seeds_sd):
        found.append(f"rows with {ENOUGH_SEEDS} seeds")
    return " and ".join(found)


def p_text(value: Value) -> str:
    """Writes a p-value as pages show it."""
    return "< 0.001" if known(value) and value < 0.001 else rounded(value, 3)


def needed(spread: Spread, margin: float, conclusions: int) -> str:
    """Says which seeds, or seeds and sequences, decide between no difference and the margin.

    Args:
        spread: the variance of the difference as it is.
        margin: the smallest difference that matters, points.
        conclusions: the number of conclusions that can be checked.
    """
    alone, (seeds, sequences) = needs(spread, margin, conclusions)
    if alone == spread.n_seeds:
        return f"no more runs: the true difference may lie between 0 and ±{margin:g}"
    both = f"{seeds} seeds on {sequences} sequences"
    if alone is None:
        return both
    return f"{alone} seeds, or {both}" if seeds < alone else f"{alone} seeds"


CLAIMS = Sheet("table-claims", "What the paper concludes", ClaimRow, _fill)
