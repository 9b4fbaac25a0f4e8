"""Shows AP on clean frames, on degraded frames and on hidden joints, for every row."""

from collections.abc import Sequence
from dataclasses import dataclass

from tips.evaluation.measure import SUBSETS
from tips.tables import markdown
from tips.tables.cells import Absent, Level, Value, absent, known, plain, value_of
from tips.tables.collect import Collected
from tips.tables.row import Row
from tips.tables.runs import Status
from tips.tables.sheet import Page, Section, Sheet


@dataclass(frozen=True)
class SubsetRow(Row):
    """One variant, as means over seeds, in percent.

    A measured row has `-` if the dataset does not say what is clean, degraded or hidden.
    """

    variant: str
    boxes: str
    all: Level
    clean: Level
    degraded: Level
    hidden: Level
    n_seeds: int
    status: Status
    scale: str


def _fill(found: Collected) -> list[SubsetRow]:
    made = []
    for group, seeded in found.results.groups.items():
        word = Absent.UNDEFINED
        if seeded.row is None:
            word = absent(seeded.status)
        seeds = [one.subsets for one in found.metrics(group)]
        parts = {name: _mean([seed.get(name, word) for seed in seeds], word) for name in SUBSETS}
        made.append(
            SubsetRow(
                variant=group.variant,
                boxes=group.boxes,
                all=value_of(seeded.mean, word),
                **parts,
                n_seeds=seeded.n,
                status=seeded.status,
                scale=found.study.scale.name,
            )
        )
    return made


def _mean(values: Sequence[float | Absent | None], word: Absent) -> Value:
    """Averages over seeds; gives the word if a seed has none, "" if one could not be computed."""
    if not values or any(isinstance(value, Absent) for value in values):
        return word
    known_values = [value for value in values if isinstance(value, float)]
    return sum(known_values) / len(values) if len(known_values) == len(values) else Absent.NONE


def _section(page: Page) -> Section:
    metric = page.study.scale.dataset.metric
    header = ("variant", "boxes", "all", *SUBSETS, "seeds", "status")
    cells = [
        [
            row.variant,
            row.boxes,
            *(plain(getattr(row, name)) for name in ("all", *SUBSETS)),
            str(row.n_seeds),
            row.status,
        ]
        for row in sorted(page.of(SUBSETS_TABLE), key=_by_total)
    ]
    body = (
        f"{metric} on clean frames, on degraded frames (blur, shake, darkness) and on joints that "
        "the camera cannot see (for these, an upper bound: false alarms of unmatched people are "
        f"left out). Sorted by {metric} on all; neighbours in this list are usually not "
        "separable.\n\n" + markdown.table(header, cells, "llrrrrrl")
    )
    return Section("Clean, degraded, hidden", body)


def _by_total(row: SubsetRow) -> tuple[float, str]:
    return (-row.all if known(row.all) else 1e9, row.variant)


SUBSETS_TABLE = Sheet(
    "table-subsets",
    lambda found: f"{found.study.scale.dataset.metric} on subsets",
    SubsetRow,
    _fill,
    section=_section,
)
