"""Shows AP on clean frames, on degraded frames and on hidden joints, for every row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tips.config import BACKBONE, COPY
from tips.evaluation.measure import SUBSETS
from tips.tables import markdown
from tips.tables.cells import Absent, Level, Share, Value, absent, known, plain, value_of
from tips.tables.collect import Collected
from tips.tables.row import Row
from tips.tables.runs import Group, Status
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
    taken: Share  # of the head-room: 0 as the backbone on degraded frames, 1 as it on clean ones
    beyond_copy: Share  # what is taken more than the untrained control takes that copies
    n_seeds: int
    status: Status
    scale: str


def _fill(found: Collected) -> list[SubsetRow]:
    made = []
    for group, seeded in found.results.groups.items():
        word = absent(seeded.status) if seeded.row is None else Absent.UNDEFINED
        parts = subset_means(found, group)
        own = {name: subset_means(found, Group(name, group.boxes)) for name in (BACKBONE, COPY)}
        share = _taken(parts, own[BACKBONE])
        copied = _taken(own[COPY], own[BACKBONE])
        made.append(
            SubsetRow(
                variant=group.variant,
                boxes=group.boxes,
                all=value_of(seeded.mean, word),
                **parts,
                taken=share,
                beyond_copy=share - copied if known(share) and known(copied) else Absent.NONE,
                n_seeds=seeded.n,
                status=seeded.status,
                scale=found.study.scale.name,
            )
        )
    return made


def subset_means(found: Collected, group: Group) -> dict[str, Value]:
    """Averages a group's AP on each subset over its seeds."""
    seeded = found.results.groups.get(group)
    word = Absent.MISSING
    if seeded is not None:
        word = absent(seeded.status) if seeded.row is None else Absent.UNDEFINED
    seeds = [one.subsets for one in found.metrics(group)]
    return {name: _mean([seed.get(name, word) for seed in seeds], word) for name in SUBSETS}


def _taken(parts: Mapping[str, Value], backbone: Mapping[str, Value]) -> Value:
    """Computes the share of the head-room that a row takes on degraded frames."""
    own, low, high = parts["degraded"], backbone["degraded"], backbone["clean"]
    if not (known(own) and known(low) and known(high)) or high <= low:
        return Absent.NONE
    return (own - low) / (high - low)


def _mean(values: Sequence[float | Absent | None], word: Absent) -> Value:
    """Averages over seeds; gives the word if a seed has none, "" if one could not be computed."""
    if not values or any(isinstance(value, Absent) for value in values):
        return word
    known_values = [value for value in values if isinstance(value, float)]
    return sum(known_values) / len(values) if len(known_values) == len(values) else Absent.NONE


def _section(page: Page) -> Section:
    metric = page.study.scale.dataset.metric
    header = (
        *("variant", "boxes", "all", *SUBSETS),
        *("head-room taken", markdown.Markdown(f"beyond `{COPY}`"), "seeds", "status"),
    )
    cells = [
        [
            row.variant,
            row.boxes,
            *(plain(getattr(row, name)) for name in ("all", *SUBSETS)),
            *(_percent(value) for value in (row.taken, row.beyond_copy)),
            str(row.n_seeds),
            row.status,
        ]
        for row in sorted(page.of(SUBSETS_TABLE), key=_by_total)
    ]
    body = (
        f"{metric} on clean frames, on degraded frames (blur, shake, darkness) and on joints that "
        "the camera cannot see (for these, an upper bound: false alarms of unmatched people are "
        "left out). The head-room is what the backbone loses on degraded frames against clean "
        f"ones. `{COPY}`, which is not trained, copies each joint's heat map from the surest of "
        f"three frames; what it takes of the head-room asks for no motion. Sorted by {metric} on "
        "all; neighbours in this list are usually not separable.\n\n"
        + markdown.table(header, cells, "llrrrrrrrl")
    )
    return Section("Clean, degraded, hidden", body)


def _percent(share: Value) -> str:
    return f"{100 * share:.0f} %" if known(share) else str(share)


def _by_total(row: SubsetRow) -> tuple[float, str]:
    return (-row.all if known(row.all) else 1e9, row.variant)


SUBSETS_TABLE = Sheet(
    "table-subsets",
    lambda found: f"{found.study.scale.dataset.metric} on subsets",
    SubsetRow,
    _fill,
    section=_section,
)
