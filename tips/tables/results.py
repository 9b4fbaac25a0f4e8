"""Gives the measured groups of a study: state, mean, deviation, and gains with intervals."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import combinations
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tips.config import Evaluation
from tips.evaluation import intervals
from tips.evaluation.intervals import Interval, Row, SameVariant
from tips.evaluation.metrics import Scored
from tips.evaluation.oks import PARTS
from tips.evaluation.people import Floats, Ints
from tips.tables.published import TOTAL
from tips.tables.runs import Group, RunFile, Status

# Networks of one kind vary alike between seeds, those of different kinds do not: at desk variants
# of TIPS vary by 0.1 points, DCPose by 0.8. A kind with this many rows has a variance of its own.
MANY_ROWS = 5
Points = Mapping[str, Mapping[int, float]]  # variant -> seed -> score, percent
Memory = Mapping[str, Points]  # by what is scored: TOTAL or a part


class Seeded(NamedTuple):
    """One group: its runs, and the scores of those that exist."""

    files: tuple[RunFile, ...]
    row: Row | None

    @property
    def status(self) -> Status:
        """What a cell made from this group says."""
        states = [file.state for file in self.files]
        if self.row is None:
            return "failed" if "failed" in states else "missing"
        if "stale" in states:
            return "stale"
        return "done" if all(state == "present" for state in states) else "partial"

    @property
    def mean(self) -> float | None:
        """The mean over the seeds that exist, in percent."""
        return None if self.row is None else float(self.row.points.mean())

    @property
    def sd(self) -> float | None:
        """The standard deviation between seeds; None for fewer than two."""
        if self.row is None or len(self.row.points) < 2:
            return None
        return float(self.row.points.std(ddof=1))

    @property
    def n(self) -> int:
        """The number of seeds that exist."""
        return 0 if self.row is None else len(self.row.seeds)


class SeedVariance(NamedTuple):
    """The variance s^2 of the difference of two networks trained with the same seed.

    `shared` holds if all seeds share the other network, `seeded` if it has seeds of its own; both
    are pooled over all rows. `points` are the scores that they are pooled from. `remembered` of
    these scores belong to runs that were deleted. `of_kinds` holds what is pooled over the rows of
    one kind of network, or over the pairs of two kinds.
    """

    shared: float
    seeded: float
    points: Points
    remembered: int
    of_kinds: Mapping[tuple[str, ...], float]

    def of(self, *kinds: str) -> float:
        """Gives s^2 for a network of one kind beside a shared one, or for two kinds of networks."""
        return self.of_kinds.get(tuple(sorted(kinds)), (self.shared, self.seeded)[len(kinds) - 1])


class Results(NamedTuple):
    """All groups of a study by one score, and the seed variances that their intervals use."""

    groups: Mapping[Group, Seeded]
    variance: SeedVariance
    kinds: Mapping[str, str]  # variant -> kind of network
    apart: frozenset[str] = frozenset()  # variants that no variance and no check is made from

    def status(self, group: Group) -> Status:
        """Gives the state of a group; a group that the scale does not have is missing."""
        return self.groups[group].status if group in self.groups else "missing"

    def gain(self, group: Group, baseline: Group) -> Interval | None:
        """Computes the gain of one group over another with its interval.

        It gives None if one of them has no run, or if they have no seed in common.
        """
        ours, other = self.groups.get(group), self.groups.get(baseline)
        if ours is None or other is None or ours.row is None or other.row is None:
            return None
        shared = ours.row.shared or other.row.shared
        if not shared and not set(ours.row.seeds) & set(other.row.seeds):
            return None
        sides = [(group, ours.row), (baseline, other.row)]
        own = [self.kind(side.variant) for side, row in sides if not (shared and row.shared)]
        variance = self.variance.of(*own) if own else self.variance.shared
        if {group.variant, baseline.variant} & self.apart:
            # Nothing was pooled over it, so its own seeds may tell that it varies more.
            differences = intervals.paired_differences(ours.row, other.row)
            variance = _larger(variance, intervals.pooled_seed_variance([differences]))
        return intervals.interval(ours.row, other.row, variance)

    def kind(self, variant: str) -> str:
        """Names the kind of network of a variant."""
        return self.kinds.get(variant, "")

    def same_variant(self) -> SameVariant:
        """Makes the A/A check over every pair of seeds of every variant that is not apart."""
        found = []
        for group, seeded in self.groups.items():
            if seeded.row is not None and group.variant not in self.apart:
                kind = self.kind(group.variant)
                found.append(intervals.same_variant(seeded.row, self.variance.of(kind, kind)))
        return SameVariant(*map(sum, zip(*found, strict=True))) if found else SameVariant(0, 0)


def score(
    files: Iterable[RunFile],
    scored: Mapping[tuple[Group, int], Scored],
    shared: frozenset[str],
    evaluation: Evaluation,
    remembered: Memory = MappingProxyType({}),
    kinds: Mapping[str, str] = MappingProxyType({}),
    apart: frozenset[str] = frozenset(),
) -> dict[str, Results]:
    """Scores every group on all sequences, and on resamples that all groups share.

    What a row says must not depend on which other runs exist. So the resamples depend only on the
    annotated sequences. The seed variance is pooled over rows; it continues to use the score of a
    deleted run as long as every run that exists scores the same as it did then. Variants of the
    user's own are apart: the variance is not pooled over them.

    Args:
        files: every run that the study should have.
        scored: what was measured of the runs that could be read.
        shared: variants that all seeds have in common: stage one, and predictors without training.
        evaluation: the number of resamples, and the boxes of the ablation tables.
        remembered: the scores that earlier seed variances were pooled from.
        kinds: the kind of network of each variant; those that are not named are of one kind.
        apart: the variants that change no number of another row.

    Returns:
        The results by what is scored: TOTAL, and the OKS of each part.
    """
    runs: dict[Group, list[RunFile]] = {}
    for file in files:
        runs.setdefault(file.group, []).append(file)
    weights = None
    groups: dict[str, dict[Group, Seeded]] = {name: {} for name in (TOTAL, *PARTS)}
    for group, members in runs.items():
        here = {f.seed: scored[group, f.seed] for f in members if (group, f.seed) in scored}
        rows: dict[str, Row] = {}
        if here:
            if weights is None:
                strata = next(iter(here.values())).evidence.strata
                weights = intervals.resamples(strata, evaluation.resamples)
            rows = _rows(here, weights, shared=group.variant in shared)
        for name, one in groups.items():
            one[group] = Seeded(tuple(members), rows.get(name))
    found = {}
    for name, one in groups.items():
        pooled = {group: seeded for group, seeded in one.items() if group.variant not in apart}
        variance = _variance(pooled, evaluation.boxes, remembered.get(name, {}), kinds)
        found[name] = Results(one, variance, kinds, apart)
    return found


def _rows(runs: Mapping[int, Scored], weights: Ints, *, shared: bool) -> dict[str, Row]:
    """Scores one group by all that is scored; part OKS is left out if a run has none."""
    whole = intervals.row({seed: one.evidence for seed, one in runs.items()}, weights, shared)
    sums = {seed: one.oks for seed, one in runs.items() if one.oks is not None}
    parts = intervals.part_rows(sums, whole, weights) if len(sums) == len(runs) else {}
    return {TOTAL: whole, **parts}


def _variance(
    groups: Mapping[Group, Seeded], boxes: str, remembered: Points, kinds: Mapping[str, str]
) -> SeedVariance:
    """Pools s^2 over all groups with three or more seeds, on the usual boxes."""
    points: dict[str, dict[int, float]] = {}
    wanted: set[tuple[str, int]] = set()
    for group, seeded in groups.items():
        row = seeded.row
        if group.boxes == boxes and len(seeded.files) >= intervals.ENOUGH_SEEDS:
            wanted |= {(group.variant, file.seed) for file in seeded.files}
            points[group.variant] = (
                {} if row is None else dict(zip(row.seeds, row.points.tolist(), strict=True))
            )
    gone = 0
    if _still_holds(points, remembered):
        for variant, seeds in remembered.items():
            for seed, point in seeds.items():
                if (variant, seed) in wanted and seed not in points[variant]:
                    points[variant][seed] = point
                    gone += 1
    kind = {name: kinds.get(name, "") for name in points}
    pools: dict[tuple[str, ...], list[Floats]] = {}
    for name, seeds in points.items():
        pools.setdefault((kind[name],), []).append(_array(seeds, seeds))
    for (left, a), (right, b) in combinations(points.items(), 2):
        if common := sorted(set(a) & set(b)):
            pair = tuple(sorted((kind[left], kind[right])))
            pools.setdefault(pair, []).append(_array(a, common) - _array(b, common))
    alone, paired = (
        intervals.pooled_seed_variance(
            [values for key, pool in pools.items() if len(key) == sides for values in pool]
        )
        for sides in (1, 2)
    )
    rows = Counter(kind.values())
    return SeedVariance(alone, paired, points, gone, _of_kinds(pools, rows, (alone, paired)))


def _of_kinds(
    pools: Mapping[tuple[str, ...], list[Floats]],
    rows: Mapping[str, int],
    of_all: tuple[float, float],
) -> dict[tuple[str, ...], float]:
    """Pools s^2 over the rows of one kind, or the pairs of two.

    A kind with few rows has the larger of its own and of that of all rows, because few seeds tell
    little of how they vary.
    """
    found = {}
    for key, pool in pools.items():
        own = intervals.pooled_seed_variance(pool)
        few = any(rows[kind] < MANY_ROWS for kind in key)
        if not math.isnan(own):
            found[key] = max(own, of_all[len(key) - 1]) if few else own
    return found


def _larger(*variances: float) -> float:
    """Gives the largest of the variances that are known; NaN if none is."""
    return max((one for one in variances if not math.isnan(one)), default=math.nan)


def _still_holds(points: Points, remembered: Points) -> bool:
    """Tells whether every run that exists scores what is remembered of it."""
    return all(
        math.isclose(point, remembered[variant][seed], abs_tol=1e-9)
        for variant, seeds in points.items()
        for seed, point in seeds.items()
        if seed in remembered.get(variant, {})
    )


def _array(points: Mapping[int, float], seeds: Iterable[int]) -> Floats:
    return np.array([points[seed] for seed in sorted(seeds)], dtype=np.float64)
