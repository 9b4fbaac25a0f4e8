"""Rows of the tables: the printed number beside ours, with the gain over the baseline."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from tips.config import BACKBONE, CAPACITY_CONTROL, Study
from tips.evaluation.intervals import Interval
from tips.reporting.published import Row, Table, Tables
from tips.reporting.results import Results
from tips.reporting.runs import NOT_IN_SCALE, Group, Status

COLUMNS = (
    "row",
    "label",
    "variant",
    "paper",
    "ours",
    "sd",
    "n_seeds",
    "status",
    "scale",
    "baseline",
    "gain_paper",
    "gain_ours",
    "low",
    "high",
    "gain_wide",
    "low_wide",
    "high_wide",
    "verdict",
    "verdict_wide",
    "note",
)


class Line(NamedTuple):
    """One row of a table with everything that a page or a file prints of it."""

    row: str
    label: str
    group: Group | None  # None: quoted only
    paper: str
    mean: float | None
    sd: float | None
    n: int
    wanted: int
    status: Status
    scale: str
    baseline: str
    gain_paper: str
    gain: Interval | None
    gain_word: str  # why there is no gain: "missing", "failed", or "" where none is due
    wide: Interval | None  # gain over the capacity control, inside the temporal family
    wide_word: str
    why: str  # of a missing or failed row

    def cells(self) -> tuple[str, ...]:
        """The row as CSV cells; a number that should exist and does not is a word."""
        word = "" if self.status == "published" else self.status
        return (
            self.row,
            self.label,
            "" if self.group is None else self.group.variant,
            self.paper,
            word if self.mean is None else plain(self.mean),
            "" if self.sd is None else plain(self.sd),
            "" if self.group is None else str(self.n),
            self.status,
            self.scale,
            self.baseline,
            self.gain_paper,
            *_gain_cells(self.gain, self.gain_word),
            *_gain_cells(self.wide, self.wide_word),
            "" if self.gain is None else verdict(self.gain),
            "" if self.wide is None else verdict(self.wide),
            self.note,
        )

    @property
    def note(self) -> str:
        """What a reader must know about the cell beside its status."""
        some = f"{self.n} of {self.wanted} seeds" if 0 < self.n < self.wanted else ""
        return "; ".join(part for part in (some, self.why) if part)


def plain(value: float) -> str:
    """A number with two decimals; never "-0.00"."""
    return f"{round(value, 2) + 0.0:.2f}"


def signed(value: float) -> str:
    """A difference with its sign and two decimals; `unknown` for an end that nothing fixes."""
    if math.isnan(value):
        return "unknown"
    return f"{round(value, 2) + 0.0:+.2f}"


def verdict(gain: Interval) -> str:
    """What an interval says: "above", "below" or "not separable"."""
    if not gain.separable:
        return "not separable"
    return "above" if gain.difference > 0 else "below"


def lines(table: Table, study: Study, results: Results) -> list[Line]:
    """Fills one table."""
    return [_line(table, row, study, results) for row in table.rows]


def your_variants(tables: Tables, study: Study) -> Table:
    """A table of every variant of the study that the project's own tables have no use for.

    They use what they name, and the stage one of what they name.
    """
    named = tables.named & study.variants.keys()
    seconds = [name for name in named if not study.variants[name].experiment.first_stage]
    known = named | {study.stage_one(name) for name in seconds}
    return Table(
        name="variants",
        roman="",
        title="Your variants",
        dataset=None,
        columns=(),
        value=None,
        baseline=BACKBONE,
        notes=(),
        claims=(),
        rows=tuple(
            Row(row=name, label=variant.experiment.title, variant=name, printed=())
            for name, variant in study.variants.items()
            if name not in known
        ),
    )


def _line(table: Table, row: Row, study: Study, results: Results) -> Line:
    baseline = table.baseline_of(row) if row.variant else None
    boxes = study.scale.evaluation.boxes if row.boxes == "gt" else row.boxes
    group = Group(row.variant, boxes) if row.variant else None
    seeded = results.groups.get(group) if group else None
    gain, gain_word = _gain(results, group, baseline)
    wide, wide_word = None, ""
    usual = group is not None and group.boxes == study.scale.evaluation.boxes
    if group is not None and usual and _temporal(group.variant, study):
        wide, wide_word = _gain(results, group, CAPACITY_CONTROL)
    return Line(
        row=row.row,
        label=row.label,
        group=group,
        paper=table.paper(row),
        mean=seeded.mean if seeded else None,
        sd=seeded.sd if seeded else None,
        n=seeded.n if seeded else 0,
        wanted=len(seeded.files) if seeded else 0,
        status=results.status(group) if group else "published",
        scale=study.scale.name,
        baseline=baseline or "",
        gain_paper=table.paper_gain(row),
        gain=gain,
        gain_word=gain_word,
        wide=wide,
        wide_word=wide_word,
        why=_why(group, results),
    )


def _gain(
    results: Results, group: Group | None, baseline: str | None
) -> tuple[Interval | None, str]:
    if group is None or baseline is None:
        return None, ""
    other = Group(baseline, group.boxes)
    gain = results.gain(group, other)
    if gain is not None:
        return gain, ""
    states = [results.status(one) for one in (group, other)]
    return None, "failed" if "failed" in states else "missing"


def _temporal(variant: str, study: Study) -> bool:
    """Whether a variant sees more than one frame and is not the capacity control itself."""
    if variant == CAPACITY_CONTROL or variant not in study.variants:
        return False
    return len(study.variants[variant].experiment.window) > 1


def _why(group: Group | None, results: Results) -> str:
    if group is None:
        return ""
    if group not in results.groups:
        return NOT_IN_SCALE
    reasons = [file.reason for file in results.groups[group].files if file.reason]
    return "; ".join(dict.fromkeys(reasons))


def _gain_cells(gain: Interval | None, word: str) -> Sequence[str]:
    if gain is None:
        return (word, word, word)
    return (signed(gain.difference), signed(gain.low), signed(gain.high))
