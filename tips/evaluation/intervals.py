"""Intervals of differences between rows: bootstrap over sequences plus variance between seeds.

variance = bootstrap variance of the difference of seed means on shared resamples + s^2 / n_seeds,
where s^2 is the variance of paired seed differences pooled over all rows with at least three
seeds; interval = +-1.96 sd.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from tips.evaluation.average_precision import average_precision, resampled_totals, total
from tips.evaluation.matching import Evidence
from tips.evaluation.people import Floats, Ints

RESAMPLES = 1_000
SEED = 20_260  # one stream for all rows: every row sees the same resamples
ENOUGH_SEQUENCES = 40
ENOUGH_SEEDS = 3
_Z = 1.96


class Row(NamedTuple):
    """What the seeds of one variant score, on all sequences and on each resample, percent.

    `shared` marks a network that all seeds have in common (the stage-one backbone): it pairs
    with every seed of the other row.
    """

    seeds: tuple[int, ...]
    points: Floats  # (seeds,)
    resampled: Floats  # (seeds, R)
    sequences: tuple[str, ...]
    shared: bool = False


class Interval(NamedTuple):
    """Difference of two rows in points, with its interval.

    `separable` says that 0 lies outside; it is never said while the variance between seeds is
    unknown (`seed_sd` NaN: no row has three seeds), though `low` and `high` are then given for
    the sequences alone. Both are NaN for a single sequence.
    """

    difference: float
    low: float
    high: float
    separable: bool
    bootstrap_sd: float
    seed_sd: float
    n_seeds: int
    few_sequences: bool


class SameVariant(NamedTuple):
    """A/A check: pairs of seeds of one variant, and how many the rule calls separable."""

    pairs: int
    separable: int

    @property
    def share(self) -> float:
        """Share of pairs called separable; about 0.05 where the rule is honest."""
        return self.separable / self.pairs if self.pairs else float("nan")


def resamples(strata: Sequence[str], count: int = RESAMPLES, seed: int = SEED) -> Ints:
    """Stratified bootstrap: how often each sequence counts in each resample.

    Args:
        strata: stratum of each sequence (its motion), in the order of the evidence; sequences
            alone in theirs are one stratum together, because nothing else stands for them.
        count: number of resamples R.
        seed: of the generator; equal arguments give equal resamples.

    Returns:
        (R, sequences); the counts of every stratum sum to its size.
    """
    generator = np.random.default_rng(seed)
    weights = np.zeros((count, len(strata)), dtype=np.int64)
    sizes = Counter(strata)
    pooled = [name if sizes[name] > 1 else "" for name in strata]
    for name in sorted(set(pooled)):
        members = [index for index, stratum in enumerate(pooled) if stratum == name]
        even = np.full(len(members), 1 / len(members))
        weights[:, members] = generator.multinomial(len(members), even, size=count)
    return weights


def row(evidence: Mapping[int, Evidence], weights: Ints, shared: bool = False) -> Row:
    """Scores the runs of one variant (seed -> evidence) on all sequences and on the resamples.

    Raises:
        ValueError: there is no run, or the runs do not hold the same sequences.
    """
    names = {run.names for run in evidence.values()}
    if len(names) != 1:
        raise ValueError(f"the seeds of a row must share their sequences; got {len(names)} lists")
    seeds = tuple(sorted(evidence))
    return Row(
        seeds=seeds,
        points=np.array([float(total(average_precision(evidence[seed]).ap)) for seed in seeds]),
        resampled=np.stack([resampled_totals(evidence[seed], weights) for seed in seeds]),
        sequences=names.pop(),
        shared=shared,
    )


def _pairs(ours: Row, baseline: Row) -> tuple[list[int], list[int]]:
    """Places of the runs that face each other."""
    if ours.sequences != baseline.sequences:
        raise ValueError(
            f"rows must share their sequences; got {len(ours.sequences)} and "
            f"{len(baseline.sequences)}, or other names"
        )
    if baseline.shared or ours.shared:
        most = max(len(ours.seeds), len(baseline.seeds))
        sides = [
            [0] * most if side.shared else list(range(len(side.seeds))) for side in (ours, baseline)
        ]
        return sides[0], sides[1]
    common = sorted(set(ours.seeds) & set(baseline.seeds))
    if not common:
        raise ValueError(
            f"rows need a seed in common; got {ours.seeds} and {baseline.seeds}; train one of them"
        )
    return [ours.seeds.index(s) for s in common], [baseline.seeds.index(s) for s in common]


def paired_differences(ours: Row, baseline: Row) -> Floats:
    """Differences ours - baseline of the seeds that both rows have, in points, (n_seeds,)."""
    left, right = _pairs(ours, baseline)
    return ours.points[left] - baseline.points[right]


def pooled_seed_variance(differences: Sequence[Floats]) -> float:
    """s^2: variance of paired seed differences, pooled over all rows with at least three seeds.

    Args:
        differences: one array per row or pair of rows, of paired differences, or of a row's own
            scores where the other side has no seeds; shorter ones are passed over.

    Returns:
        points^2; NaN where no row has three seeds.
    """
    used = [values for values in differences if len(values) >= ENOUGH_SEEDS]
    if not used:
        return float("nan")
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in used)
    return squares / sum(len(values) - 1 for values in used)


def interval(ours: Row, baseline: Row, seed_variance: float) -> Interval:
    """Interval of ours - baseline from the seeds they share and the shared resamples.

    Args:
        ours: the row.
        baseline: what it is compared with, on the same resamples.
        seed_variance: from `pooled_seed_variance`; NaN where unknown.
    """
    left, right = _pairs(ours, baseline)
    difference = float((ours.points[left] - baseline.points[right]).mean())
    resampled = ours.resampled[left].mean(axis=0) - baseline.resampled[right].mean(axis=0)
    bootstrap = float(np.var(resampled, ddof=1))
    known = not np.isnan(seed_variance)
    of_seeds = seed_variance / len(left) if known else 0.0
    varies = len(ours.sequences) > 1  # one sequence cannot be resampled
    half = _Z * float(np.sqrt(bootstrap + of_seeds)) if varies else float("nan")
    return Interval(
        difference=difference,
        low=difference - half,
        high=difference + half,
        separable=known and varies and abs(difference) > half,
        bootstrap_sd=float(np.sqrt(bootstrap)),
        seed_sd=float(np.sqrt(seed_variance)),
        n_seeds=len(left),
        few_sequences=len(ours.sequences) < ENOUGH_SEQUENCES,
    )


def same_variant(rows: Sequence[Row], seed_variance: float) -> SameVariant:
    """Runs every pair of seeds of every variant through `interval` (A/A check)."""
    separable, pairs = 0, 0
    for one in rows:
        for left, right in combinations(range(len(one.seeds)), 2):
            # The pair plays two variants of one run each, so both carry the same seed label.
            sides = [
                one._replace(
                    seeds=(0,), points=one.points[[i]], resampled=one.resampled[[i]], shared=False
                )
                for i in (left, right)
            ]
            separable += interval(sides[0], sides[1], seed_variance).separable
            pairs += 1
    return SameVariant(pairs, separable)
