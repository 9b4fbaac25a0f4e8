"""Shows the user's own variants: what each changes, what it gains beside others, what it costs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Final

from tips.chain import parent_difference
from tips.config import Study
from tips.evaluation.intervals import Interval
from tips.evaluation.power import detectable
from tips.evaluation.verdicts import verdict
from tips.records import RecordError
from tips.tables import markdown, sources
from tips.tables.cells import (
    FINE,
    Absent,
    Count,
    Difference,
    Fine,
    Level,
    Parameters,
    Tenths,
    Value,
    known,
    plain,
    rounded,
    value_of,
)
from tips.tables.claims import (
    MISSING,
    UNDECIDED,
    Decidable,
    Margin,
    adjusted,
    lacking,
    needed,
    p_text,
)
from tips.tables.collect import Collected
from tips.tables.compared import (
    MISSED,
    UNKNOWN,
    Gain,
    Line,
    comparison,
    gain_from,
    lines,
    unprinted,
)
from tips.tables.row import Row
from tips.tables.runs import Group
from tips.tables.sheet import Page, Section, Sheet
from tips.tables.yours import YOURS, Beside, your_variants

ABOVE, EQUAL, BELOW = "above", "equal", "below"
MET: Final = "met"
NOT_MET: Final = "not met"
OPEN: Final = (UNDECIDED, UNKNOWN, MISSING)  # verdicts that leave an expectation open


@dataclass(frozen=True)
class OwnRow(Decidable, Row):
    """One variant of the user's beside one row; `than` is empty if it is compared with none."""

    variant: str
    label: str
    parent: str
    changes: str  # keys that differ from the parent
    than: str
    expects: str  # above, equal, below; "" if the file expects nothing
    ours: Difference
    low: Difference
    high: Difference
    margin: Margin  # a difference that is surely smaller counts as none
    p_adjusted: Fine  # two-sided, by Holm for the number of comparisons of this table
    verdict: str  # above, equal, below, undecided, unknown, missing
    expected: str  # met, not met, or the verdict that leaves it open; "" if nothing is expected
    smallest: Level  # true difference that is shown with a power of 80 %, points
    decides: str  # what would decide it, if nothing does
    n_seeds: Count
    n_sequences: int
    sequences_sd: Fine  # of the difference, by resampled sequences
    seeds_sd: Fine  # of the difference of one seed, without what resampled sequences hold
    parameters: Parameters
    seconds: Tenths  # of one training, the mean over seeds

    @property
    def gain(self) -> Gain:
        """The difference with its interval."""
        return Gain(self.ours, self.low, self.high, self.verdict)


def _fill(found: Collected) -> list[OwnRow]:
    usual = found.study.scale.evaluation.boxes
    intervals = [
        found.results.gain(Group(one.variant, usual), Group(one.than, usual))
        for one in found.beside
    ]
    p_values = adjusted(intervals)
    asked: dict[str, list[OwnRow]] = {}
    for one, interval, p in zip(found.beside, intervals, p_values, strict=True):
        asked.setdefault(one.variant, []).append(_compared(one, interval, p, found))
    tests = sum(p is not None for p in p_values)
    names = [row.row for row in your_variants(found.tables, found.study).rows]
    rows = [row for name in names for row in asked.get(name) or [_alone(name, found)]]
    return [_with_power(row, tests) for row in rows]


def _alone(name: str, found: Collected) -> OwnRow:
    """Describes a variant that is compared with no row."""
    variant = found.study.variants[name]
    parameters, seconds = _cost(name, found)
    none = Absent.NONE
    return OwnRow(
        variant=name,
        label=" ".join(variant.experiment.title.split()),
        parent=variant.parent,
        changes=_changes(name, found.study),
        than="",
        expects="",
        ours=none,
        low=none,
        high=none,
        margin=0.0,
        p_adjusted=none,
        verdict="",
        expected="",
        smallest=none,
        decides="",
        n_seeds=None,
        n_sequences=len(found.annotations.sequences),
        sequences_sd=none,
        seeds_sd=none,
        parameters=parameters,
        seconds=seconds,
    )


def _changes(name: str, study: Study) -> str:
    """Lists the keys in which a variant differs from what it extends."""
    parent = study.variants[name].parent
    if parent and parent not in study.variants:
        return f"unknown: scale '{study.scale.name}' has no row '{parent}'"
    return "; ".join(parent_difference(study, name))


def _compared(
    one: Beside, interval: Interval | None, p_adjusted: float | None, found: Collected
) -> OwnRow:
    """Sets one variant beside one row."""
    gain, word, said = MISSED, Absent.MISSING, MISSING
    of_sequences, of_seeds, seeds = None, None, None
    margin = float(one.margin)
    if interval is not None:
        gain, word, said = gain_from(interval), Absent.UNKNOWN, UNKNOWN
        # Rounded as in the file, so that who reads it there computes the same.
        of_sequences, of_seeds = round(interval.bootstrap_sd, FINE), round(interval.seed_sd, FINE)
        seeds = interval.n_seeds
    if interval is not None and p_adjusted is not None:
        said = judged(interval.difference, interval.sd, margin, p_adjusted, one.expects)
    return replace(
        _alone(one.variant, found),
        than=one.than,
        expects=one.expects or "",
        ours=gain.value,
        low=gain.low,
        high=gain.high,
        margin=margin,
        p_adjusted=value_of(p_adjusted, word),
        verdict=said,
        expected=expectation(one.expects, said),
        n_seeds=seeds,
        sequences_sd=value_of(of_sequences, word),
        seeds_sd=value_of(of_seeds, word),
    )


def judged(
    difference: float, sd: float, margin: float, p_adjusted: float, expects: str | None
) -> str:
    """Words the verdict on a difference: above, equal, below or undecided.

    It is that of a conclusion of the paper. What is shown, or the opposite of what is expected, is
    called by its sign, and what is equivalent is called equal.

    Args:
        difference: the measured difference, points.
        sd: its standard deviation, points.
        margin: the smallest difference that matters, points.
        p_adjusted: its p-value, adjusted for the number of comparisons.
        expects: what the variant's file expects; "equal" takes a difference that is surely within
            the margin for equal even if it is significant.
    """
    found = verdict(difference, sd, margin, p_adjusted, "equal" if expects == EQUAL else "more")
    named = {"equivalent": EQUAL, "undecided": UNDECIDED}
    return named.get(found, ABOVE if difference > 0 else BELOW)


def expectation(expects: str | None, verdict: str) -> str:
    """Tells whether an expectation is met; gives the verdict itself if that leaves it open."""
    if not expects:
        return ""
    if verdict in OPEN:
        return verdict
    return MET if verdict == expects else NOT_MET


def _with_power(row: OwnRow, tests: int) -> OwnRow:
    """Adds what a comparison could show, and what would decide it."""
    if row.spread is None:
        decides = lacking(row.n_sequences, row.seeds_sd) if row.verdict == UNKNOWN else ""
        return replace(row, decides=decides)
    return replace(
        row,
        smallest=detectable(row.spread.sd, tests),
        decides=needed(row.spread, row.margin, tests) if row.verdict == UNDECIDED else "",
    )


def _cost(name: str, found: Collected) -> tuple[int | Absent, Value]:
    """Reads parameters and mean seconds from the records of a variant's trainings."""
    try:
        noted = list(_records(name, found))
    except RecordError:  # the run's own row says why it failed
        return Absent.FAILED, Absent.FAILED
    if not noted:
        return Absent.MISSING, Absent.MISSING
    return noted[0].parameters, fmean(one.seconds for one in noted)


def _records(name: str, found: Collected) -> Iterator[sources.Provenance]:
    for seed in range(found.study.variants[name].seeds):
        file = found.paths.run(name, str(seed)) / "provenance.json"
        record = sources.read_if_present(sources.Provenance, file)
        if record is not None:
            yield record


NOTHING = (
    "None. `tips new NAME --from tips` writes the file of one; it appears here, in the DAG and in "
    "MLflow without any other edit.\n"
)
COSTS = ("variant", "title", "extends", "what it changes", "parameters", "seconds of a training")
HEADER = (
    *("variant", "beside", "gain [95 %]", "margin", "p (Holm)", "here", "expected"),
    *("shows from", "what would decide it"),
)


def _section(page: Page) -> Section:
    rows = page.of(BESIDE)
    if not rows:
        return Section(YOURS, NOTHING)
    first = {row.variant: row for row in reversed(rows)}
    costs = [_described(row) for row in page.of(BESIDE) if first[row.variant] is row]
    beside = [_told(row) for row in rows if row.than]
    table = your_variants(page.tables, page.study)
    body = unprinted(page.of(VARIANTS), table) + "\n" + markdown.table(COSTS, costs, "llllrr")
    if beside:
        body += "\n" + how_compared(rows) + "\n" + markdown.table(HEADER, beside, "lllrrllrl")
    return Section(YOURS, body)


def _described(row: OwnRow) -> list[str]:
    parameters = row.parameters
    return [
        row.variant,
        row.label,
        row.parent,
        row.changes or ("nothing" if row.parent else ""),
        str(parameters) if isinstance(parameters, Absent) else f"{parameters:,}",
        rounded(row.seconds, 1),
    ]


def _told(row: OwnRow) -> list[str]:
    wanted = f"{row.expects}: {row.expected}" if row.expects else ""
    return [
        *(row.variant, row.than, row.gain.text, f"±{row.margin:g}", p_text(row.p_adjusted)),
        *(row.verdict, wanted, plain(row.smallest), row.decides),
    ]


def how_compared(rows: Sequence[OwnRow]) -> str:
    """Says how the verdicts on the user's own variants come about."""
    tests = sum(known(row.p_adjusted) for row in rows)
    counted = f"{tests} comparison{'' if tests == 1 else 's'}"
    return (
        "Each variant beside the rows that its file names under `compare`, or else beside the one "
        "that it extends. *Above* or *below*: the difference is significant at 5 %, its p-value "
        f"adjusted by Holm's method for the {counted} of this table that can be tested; "
        "the paper's conclusions are adjusted apart, so none of these changes any of them. "
        "*Equal*: not so, and the difference surely lies within the margin; where a file expects "
        "*equal*, this holds of a significant difference as well. *Undecided*: neither. *Shows "
        "from*: the smallest true difference that is shown with 80 % power. The variance between "
        "seeds is pooled over the project's own rows alone, so that no variant of yours moves an "
        "interval of theirs; where three seeds of yours vary more, that counts here.\n"
    )


VARIANTS = Sheet(
    "table-variants",
    YOURS,
    Line,
    lambda found: lines(your_variants(found.tables, found.study), found),
    shown=lambda found, rows: comparison(rows, your_variants(found.tables, found.study)),
    compares=True,
)
BESIDE = Sheet("table-own", f"{YOURS} beside other rows", OwnRow, _fill, section=_section)
