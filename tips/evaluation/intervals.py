"""Intervals of differences between rows: bootstrap over sequences plus variance between seeds.

The variance of a difference is its bootstrap variance (of the difference of seed means, on
resamples that all rows share) plus (s^2 - r^2) / n_seeds. s^2 is the variance of paired seed
differences, pooled over all rows with at least three seeds. r^2 is the part of it that other
sequences would have changed: one seed is better on these sequences and another on those. The
bootstrap variance holds that part already, so it must not count twice. The interval is +-1.96
standard deviations.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from tips import skeleton
from tips.evaluation.average_precision import average_precision, resampled_totals, total
from tips.evaluation.matching import Evidence
from tips.evaluation.oks import PARTS, PartSums, resampled_parts
from tips.evaluation.people import Floats, Ints

RESAMPLES = 1_000
SEED = 20_260  # all rows use it, so that they see the same resamples
ENOUGH_SEQUENCES = 40
ENOUGH_SEEDS = 3
_Z = 1.96


class Row(NamedTuple):
    """Scores of the seeds of one variant, on all sequences and on each resample, percent.

    `shared` marks a row with one network for all seeds, the backbone of stage one; it is paired
    with every seed of the other row.
    """

    seeds: tuple[int, ...]
    points: Floats  # (seeds,)
    resampled: Floats  # (seeds, R)
    sequences: tuple[str, ...]
    shared: bool = False


class Interval(NamedTuple):
    """Difference of two rows in points, and the variance that its interval follows from.

    The interval is unknown as long as the variance between seeds is, because no row has three
    seeds, and on fewer than ENOUGH_SEQUENCES sequences, whose resamples vary too little. `low`,
    `high` and `sd` are then NaN.
    """

    difference: float
    bootstrap_sd: float
    seed_sd: float  # of one seed, without what the bootstrap holds; NaN if unknown
    n_seeds: int
    n_sequences: int

    @property
    def known(self) -> bool:
        """Whether there are enough seeds and sequences for an interval."""
        return not math.isnan(self.sd)

    @property
    def sd(self) -> float:
        """The standard deviation of the difference."""
        if self.n_sequences < ENOUGH_SEQUENCES:
            return float("nan")
        return math.sqrt(self.bootstrap_sd**2 + self.seed_sd**2 / self.n_seeds)

    @property
    def low(self) -> float:
        """The lower end of the interval."""
        return self.difference - _Z * self.sd

    @property
    def high(self) -> float:
        """The upper end of the interval."""
        return self.difference + _Z * self.sd

    @property
    def separable(self) -> bool:
        """Whether 0 lies outside of the interval; False as long as that is unknown."""
        return abs(self.difference) > _Z * self.sd


class SameVariant(NamedTuple):
    """A/A check: pairs of seeds of one variant with a known interval; how many are separable."""

    pairs: int
    separable: int

    @property
    def share(self) -> float:
        """Share of the pairs that are found separable; about 0.05 if the intervals are right."""
        return self.separable / self.pairs if self.pairs else float("nan")


def resamples(strata: Sequence[str], count: int = RESAMPLES, seed: int = SEED) -> Ints:
    """Draws stratified bootstrap resamples: how often each sequence counts in each of them.

    Args:
        strata: stratum of each sequence (its motion), in the order of the evidence. Sequences that
            are alone in their stratum form one together, because alone they would never vary.
        count: number of resamples, R.
        seed: seed of the generator; equal arguments give equal resamples.

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


def row(
    evidence: Mapping[int, Evidence],
    weights: Ints,
    shared: bool = False,
    joints: Sequence[int] = range(skeleton.COUNT),
) -> Row:
    """Scores the AP of the runs of one variant on all sequences and on the resamples.

    Args:
        evidence: evidence of each run, by seed.
        weights: how often each sequence counts (R, sequences), from `resamples`.
        shared: whether all seeds have this one network in common.
        joints: the joints that the AP is the mean of.

    Raises:
        ValueError: if there is no run, or if the runs do not hold the same sequences.
    """
    names = {run.names for run in evidence.values()}
    if len(names) != 1:
        raise ValueError(f"the seeds of a row must share their sequences; got {len(names)} lists")
    seeds, chosen = tuple(sorted(evidence)), list(joints)
    return Row(
        seeds=seeds,
        points=np.array([float(total(average_precision(evidence[s]).ap[chosen])) for s in seeds]),
        resampled=np.stack([resampled_totals(evidence[s], weights, chosen) for s in seeds]),
        sequences=names.pop(),
        shared=shared,
    )


def part_rows(sums: Mapping[int, PartSums], like: Row, weights: Ints) -> dict[str, Row]:
    """Scores the OKS of the parts of the same runs, on all sequences and on the resamples.

    A part that nobody has is left out.

    Args:
        sums: sums of the parts' OKS of each run, by seed.
        like: the row of these runs' AP.
        weights: how often each sequence counts (R, sequences), from `resamples`.
    """
    seeds = tuple(sorted(sums))
    once = np.ones((1, weights.shape[1]), dtype=np.int64)
    points = np.stack([resampled_parts(sums[seed], once)[0] for seed in seeds])
    resampled = np.stack([resampled_parts(sums[seed], weights) for seed in seeds])
    return {
        name: like._replace(seeds=seeds, points=points[:, k], resampled=resampled[:, :, k])
        for k, name in enumerate(PARTS)
        if not np.isnan(points[:, k]).any()
    }


def _pairs(ours: Row, baseline: Row) -> tuple[list[int], list[int]]:
    """Gives the places of the paired runs in both rows."""
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
    """Computes ours - baseline for the seeds that both rows have, points, (n_seeds,)."""
    left, right = _pairs(ours, baseline)
    return ours.points[left] - baseline.points[right]


def pooled_seed_variance(differences: Sequence[Floats]) -> float:
    """Computes s^2, the variance between seeds, pooled over all rows with at least three seeds.

    Args:
        differences: an array per pair of rows with their paired differences, or per row with its
            own scores if the other side has no seeds. Arrays of fewer than three are not used.

    Returns:
        points^2; NaN if no array has three values.
    """
    used = [values for values in differences if len(values) >= ENOUGH_SEEDS]
    if not used:
        return float("nan")
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in used)
    return squares / sum(len(values) - 1 for values in used)


def interval(ours: Row, baseline: Row, seed_variance: float) -> Interval:
    """Computes the interval of ours - baseline, from the seeds and the resamples that they share.

    Args:
        ours: the row.
        baseline: the row that it is compared with, on the same resamples.
        seed_variance: from `pooled_seed_variance`; NaN if unknown.
    """
    left, right = _pairs(ours, baseline)
    apart = ours.resampled[left] - baseline.resampled[right]
    return Interval(
        difference=float((ours.points[left] - baseline.points[right]).mean()),
        bootstrap_sd=float(np.std(apart.mean(axis=0), ddof=1)),
        seed_sd=_seed_sd(seed_variance, apart),
        n_seeds=len(left),
        n_sequences=len(ours.sequences),
    )


def _seed_sd(seed_variance: float, resampled: Floats) -> float:
    """Computes the deviation between seeds that remains on endlessly many sequences.

    Two seeds see the same resamples, so the variance of their difference over the resamples is
    twice the part of the seed variance that is due to the sequences.

    Args:
        seed_variance: of the scores of single seeds on the sequences of the study.
        resampled: scores of the seeds on the resamples (seeds, R); one seed tells nothing.
    """
    if len(resampled) < 2:
        return math.sqrt(seed_variance)
    centred = resampled - resampled.mean(axis=1, keepdims=True)
    by_sequence = np.var(centred, axis=0, ddof=1).sum() / (resampled.shape[1] - 1)
    return float(np.sqrt(np.maximum(0, seed_variance - by_sequence)))


def same_variant(one: Row, seed_variance: float) -> SameVariant:
    """Computes the A/A check: `interval` of every pair of seeds of a variant, if known.

    It checks the intervals of rows with one seed. These are wider than they had to be, because one
    seed does not tell which part of the seed variance the resamples hold.

    Args:
        one: the variant.
        seed_variance: of the difference of two networks that have a seed of their own each.
    """
    # The runs stand for two variants with one run each; `interval` pairs runs of equal seeds.
    sides = [
        one._replace(seeds=(0,), points=one.points[[i]], resampled=one.resampled[[i]], shared=False)
        for i in range(len(one.seeds))
    ]
    found = [interval(*pair, seed_variance) for pair in combinations(sides, 2)]
    return SameVariant(sum(pair.known for pair in found), sum(pair.separable for pair in found))
