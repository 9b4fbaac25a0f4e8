from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tips.config import load_scale
from tips.evaluation.matching import Evidence, count_truth
from tips.evaluation.metrics import Scored
from tips.evaluation.oks import PARTS, PartSums
from tips.tables.published import TOTAL
from tips.tables.results import MANY_ROWS, Points, Results, score
from tips.tables.runs import Group, RunFile

EVALUATION = load_scale("smoke", Path(__file__).parents[2] / "experiments").evaluation
SEQUENCES = 40
PEOPLE = 12  # of a sequence
NOWHERE = (Path(),) * 4


def evidence(share: float, seed: list[int]) -> Evidence:
    """One joint type, a prediction per person, of which a share hits."""
    n = SEQUENCES * PEOPLE
    generator = np.random.default_rng(seed)
    sequence = np.repeat(np.arange(SEQUENCES), PEOPLE)
    truth = np.stack([sequence, np.tile(np.arange(PEOPLE), SEQUENCES), np.zeros(n), np.zeros(n)], 1)
    truth = truth.astype(np.int64)
    return Evidence(
        names=tuple(map(str, range(SEQUENCES))),
        strata=tuple("ab"[k % 2] for k in range(SEQUENCES)),
        joint=np.zeros(n, dtype=np.int64),
        score=generator.uniform(size=n),
        hit=generator.uniform(size=n) < share,
        sequence=sequence,
        frame=truth[:, 1],
        person=np.zeros(n, dtype=np.int64),
        truth=truth,
        n_truth=count_truth(truth, SEQUENCES),
    )


def measured(share: float, seed: list[int]) -> Scored:
    """A run of which this share hits, and whose wrists have this OKS while nobody has a head."""
    generator = np.random.default_rng(seed)
    people = np.full((SEQUENCES, len(PARTS)), float(PEOPLE))
    similarity = people * np.clip(share + generator.normal(0, 0.05, people.shape), 0, 1)
    people[:, list(PARTS).index("Head")] = 0
    return Scored(None, evidence(share, seed), {}, PartSums(similarity, people))  # type: ignore[arg-type]


def study(
    shares: dict[str, list[float]],
    absent: frozenset[tuple[str, int]],
    remembered: Points | None = None,
    by: str = TOTAL,
    kinds: dict[str, str] | None = None,
    apart: frozenset[str] = frozenset(),
) -> Results:
    files, found = [], {}
    for variant, seeds in shares.items():
        for seed, share in enumerate(seeds):
            group = Group(variant, "gt")
            gone = (variant, seed) in absent
            state = "missing" if gone else "present"
            files.append(RunFile(group, seed, *NOWHERE, state, ""))  # type: ignore[arg-type]
            if not gone:
                found[group, seed] = measured(share, [*variant.encode(), seed])
    memory = {} if remembered is None else {by: remembered}
    shared = frozenset({"hrnet"})
    return score(files, found, shared, EVALUATION, memory, kinds or {}, apart)[by]


SHARES = {
    "hrnet": [0.4],
    "tips": [0.70, 0.71, 0.72],
    "wide": [0.70, 0.71, 0.70],
    "alike": [0.71, 0.70, 0.72],
    "one": [0.5],
}
NONE: frozenset[tuple[str, int]] = frozenset()


def gain(results: Results, ours: str, baseline: str):
    return results.gain(Group(ours, "gt"), Group(baseline, "gt"))


def test_status_mean_deviation_and_seeds() -> None:
    results = study(SHARES, frozenset({("wide", 1), ("one", 0)}))
    tips, wide, one = (results.groups[Group(name, "gt")] for name in ("tips", "wide", "one"))
    assert (tips.status, tips.n) == ("done", 3)
    assert tips.mean == pytest.approx(np.mean(tips.row.points))
    assert tips.sd == pytest.approx(np.std(tips.row.points, ddof=1))
    assert (wide.status, wide.n) == ("partial", 2)
    assert (one.status, one.n, one.mean, one.sd) == ("missing", 0, None, None)
    assert results.status(Group("nobody", "gt")) == "missing"


def test_a_failed_run_says_so_and_a_stale_one_keeps_its_number() -> None:
    group, other = Group("a", "gt"), Group("b", "gt")
    files = [
        RunFile(group, 0, *NOWHERE, "failed", "it broke"),
        RunFile(other, 0, *NOWHERE, "stale", "old"),
    ]
    results = score(files, {(other, 0): measured(0.5, [0])}, frozenset(), EVALUATION)[TOTAL]
    assert results.status(group) == "failed"
    assert results.status(other) == "stale"
    assert results.groups[other].mean is not None


def test_clear_gain_is_separable_and_equal_rows_are_not() -> None:
    results = study(SHARES, NONE)
    clear = gain(results, "tips", "hrnet")
    assert clear is not None
    assert clear.separable
    assert clear.low > 0
    alike = gain(results, "tips", "alike")
    assert alike is not None
    assert not alike.separable


def test_gain_with_an_absent_side_or_without_a_common_seed_is_none() -> None:
    results = study(SHARES, frozenset({("one", 0), ("wide", 0)}))
    assert gain(results, "one", "hrnet") is None
    assert gain(results, "tips", "one") is None
    assert gain(results, "one", "wide") is None
    assert results.gain(Group("tips", "gt"), Group("nobody", "gt")) is None


def test_seed_variance_is_pooled_over_rows_with_three_seeds() -> None:
    variance = study(SHARES, NONE).variance
    rows = [np.array(list(seeds.values())) for seeds in variance.points.values()]
    assert set(variance.points) == {"tips", "wide", "alike"}
    assert variance.shared == pytest.approx(np.mean([np.var(row, ddof=1) for row in rows]))
    pairs = [rows[0] - rows[1], rows[0] - rows[2], rows[1] - rows[2]]
    assert variance.seeded == pytest.approx(np.mean([np.var(pair, ddof=1) for pair in pairs]))
    assert variance.remembered == 0


@pytest.mark.parametrize("by", [TOTAL, "Wrist"])
@pytest.mark.parametrize("gone", [("one", 0), ("hrnet", 0), ("tips", 0), ("wide", 2)])
def test_a_run_that_is_gone_leaves_all_other_gains_as_they_were(
    gone: tuple[str, int], by: str
) -> None:
    before = study(SHARES, NONE, by=by)
    after = study(SHARES, frozenset({gone}), before.variance.points, by)
    assert after.variance[:3] == before.variance[:3]
    for ours in SHARES:
        for baseline in SHARES:
            if gone[0] not in (ours, baseline):
                assert gain(before, ours, baseline) == gain(after, ours, baseline)


def test_memory_is_dropped_when_a_run_scores_something_else() -> None:
    old = study(SHARES | {"alike": [0.5, 0.6, 0.7]}, NONE).variance.points
    fresh = study(SHARES, frozenset({("tips", 0)}))
    again = study(SHARES, frozenset({("tips", 0)}), old)
    assert again.variance == fresh.variance
    assert again.variance.remembered == 0


def test_memory_of_all_runs_of_a_row_holds() -> None:
    before = study(SHARES, NONE).variance
    gone = frozenset({("tips", 0), ("tips", 1), ("tips", 2)})
    after = study(SHARES, gone, before.points).variance
    assert (after.shared, after.seeded, after.remembered) == (before.shared, before.seeded, 3)


def test_parts_are_scored_apart_and_one_that_nobody_has_is_missing() -> None:
    wrist = gain(study(SHARES, NONE, by="Wrist"), "tips", "hrnet")
    total = gain(study(SHARES, NONE), "tips", "hrnet")
    assert wrist is not None
    assert total is not None
    assert wrist.difference == pytest.approx(31, abs=2)
    assert wrist.difference != total.difference
    assert gain(study(SHARES, NONE, by="Head"), "tips", "hrnet") is None


def test_without_three_seeds_the_interval_is_unknown() -> None:
    results = study({"hrnet": [0.1], "tips": [0.9]}, NONE)
    found = gain(results, "tips", "hrnet")
    assert found is not None
    assert not found.known
    assert np.isnan(results.variance.shared)


def kinds_of(shares: dict[str, list[float]]) -> dict[str, str]:
    return {name: name.rsplit("-", 1)[0] for name in shares}


STEADY = {f"steady-{k}": [0.60, 0.60, 0.60] for k in range(MANY_ROWS)}
WILD = {f"wild-{k}": [0.4, 0.6, 0.8][:: 1 - 2 * (k % 2)] for k in range(MANY_ROWS)}


def test_a_kind_with_many_rows_has_a_variance_of_its_own() -> None:
    shares = STEADY | WILD
    every, apart = (study(shares, NONE, kinds=kinds) for kinds in ({}, kinds_of(shares)))
    for kind, rows in (("steady", STEADY), ("wild", WILD)):
        points = [apart.groups[Group(name, "gt")].row.points for name in rows]
        expected = np.mean([np.var(one, ddof=1) for one in points])
        assert apart.variance.of(kind) == pytest.approx(expected)
        pairs = [np.var(a - b, ddof=1) for a, b in combinations(points, 2)]
        assert apart.variance.of(kind, kind) == pytest.approx(np.mean(pairs))
    steady, wild = (gain(apart, f"{kind}-0", f"{kind}-1").seed_sd for kind in ("steady", "wild"))
    assert steady < gain(every, "steady-0", "steady-1").seed_sd < wild
    mixed = apart.variance.of("wild", "steady")
    assert mixed == apart.variance.of("steady", "wild")
    assert apart.variance.of("steady", "steady") < mixed


def test_a_kind_with_few_rows_never_has_less_than_all_rows_together() -> None:
    few = dict(list(STEADY.items())[1:])
    found = study(few | WILD, NONE, kinds=kinds_of(few | WILD)).variance
    assert found.of("steady", "steady") == found.seeded
    assert found.of("steady") == found.shared
    assert found.of("nobody") == found.shared
    few = dict(list(WILD.items())[1:])
    found = study(few | STEADY, NONE, kinds=kinds_of(few | STEADY)).variance
    assert found.of("wild") > found.shared


@pytest.mark.parametrize("by", [TOTAL, "Wrist"])
def test_rows_that_are_apart_change_nothing_of_the_others(by: str) -> None:
    wild = {"wild": [0.3, 0.6, 0.9]}
    before = study(SHARES, NONE, by=by)
    after = study(SHARES | wild, NONE, by=by, apart=frozenset(wild))
    assert after.variance == before.variance
    assert after.same_variant() == before.same_variant()
    for ours in SHARES:
        for baseline in SHARES:
            assert gain(before, ours, baseline) == gain(after, ours, baseline)


def test_a_row_that_is_apart_varies_as_its_own_seeds_do_if_that_is_more() -> None:
    """And as the others do if its seeds tell less, or are fewer than three."""
    shares = SHARES | {"wild": [0.3, 0.6, 0.9], "calm": [0.7, 0.7, 0.7], "lone": [0.7]}
    own = study(shares, NONE, apart=frozenset({"wild", "calm", "lone"}))
    points = [own.groups[Group(name, "gt")].row.points for name in ("wild", "tips")]
    found = gain(own, "wild", "tips")
    whole = np.var(points[0] - points[1], ddof=1)  # a little of it is held by the resamples
    assert own.variance.seeded < 0.1 * whole
    assert 0.9 * whole < found.seed_sd**2 < whole
    assert gain(own, "lone", "tips").seed_sd == pytest.approx(np.sqrt(own.variance.seeded))
    alone = study({"hrnet": [0.4], "wild": [0.3, 0.6, 0.9]}, NONE, apart=frozenset({"wild"}))
    assert np.isnan(alone.variance.shared)
    assert gain(alone, "wild", "hrnet").known


def test_same_variant_check_counts_every_pair() -> None:
    assert study(SHARES, NONE).same_variant().pairs == 9
