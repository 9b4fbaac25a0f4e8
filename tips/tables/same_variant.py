"""The A/A check: seeds of one variant are compared as if they were two variants."""

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tips.evaluation.intervals import ENOUGH_SEQUENCES
from tips.tables import markdown
from tips.tables.cells import Level, Share, known, plain, value_of
from tips.tables.collect import Collected
from tips.tables.results import MANY_ROWS, Results
from tips.tables.row import Row
from tips.tables.sheet import Page, Section, Sheet


@dataclass(frozen=True)
class CheckRow(Row):
    """The check of a whole study, and the deviations between seeds that every interval uses."""

    scale: str
    sequences: int
    pairs: int
    separable: int
    share: Share
    s_shared: Level  # deviation of a difference from a network that all seeds share
    s_seeded: Level  # deviation of a difference from a network with seeds of its own
    kinds: str  # the kinds of networks with deviations of their own: name, s_shared, s_seeded
    remembered: int  # scores of deleted runs that still count


def _fill(found: Collected) -> list[CheckRow]:
    check, variance = found.results.same_variant(), found.results.variance
    return [
        CheckRow(
            scale=found.study.scale.name,
            sequences=len(found.annotations.sequences),
            pairs=check.pairs,
            separable=check.separable,
            share=value_of(check.share),
            s_shared=value_of(math.sqrt(variance.shared)),
            s_seeded=value_of(math.sqrt(variance.seeded)),
            kinds=", ".join(_kinds(found.results)),
            remembered=variance.remembered,
        )
    ]


def _kinds(results: Results) -> Iterator[str]:
    """Says of every kind with many rows how much its networks vary, in points."""
    rows = Counter(results.kind(variant) for variant in results.variance.points)
    for kind in sorted(kind for kind, count in rows.items() if kind and count >= MANY_ROWS):
        alone, between = (math.sqrt(results.variance.of(*[kind] * sides)) for sides in (1, 2))
        yield f"{kind} {alone:.2f} and {between:.2f} points"


def _section(page: Page) -> Section:
    row = page.row(SAME_VARIANT)
    pairs = (
        f"{row.separable} of {row.pairs} pairs ({100 * row.separable / row.pairs:.0f} %) are "
        "called separable; one run tells nothing of r², so at most about 5 % are expected"
        if row.pairs
        else "there is no pair whose interval is known"
    )
    shared, seeded = (
        f"{plain(value)} points." if known(value) else "unknown."
        for value in (row.s_shared, row.s_seeded)
    )
    gone = f"s still counts the scores of {row.remembered} deleted runs"
    gone += ", so that other rows stay put."
    body = (
        "Variance of a difference = bootstrap over validation sequences (stratified by motion "
        "where several share one, both rows on the same resamples, seeds averaged inside) + "
        "(s² - r²) / seeds. s² is the variance of paired seed differences, pooled over all "
        "variants with three seeds; r² is the part of it that the bootstrap over sequences holds "
        "already: half the variance of the difference of two seeds on the same resamples. "
        "Networks of different kinds vary differently, so a kind with "
        f"{MANY_ROWS} such variants or more has an s² of its own, and any other the larger of its "
        "own and that of all. Interval = ± 1.96 sd. On fewer than "
        f"{ENOUGH_SEQUENCES} sequences, or without s, the interval is unknown. A "
        "difference is taken over the seeds that both rows have, so it need not be that of two "
        "printed means.\n\n"
        + markdown.bullets(
            [
                f"Validation sequences: {row.sequences}.",
                f"s against the shared backbone: {shared}",
                f"s between two trained variants: {seeded}",
                *(
                    [f"The same two for kinds with many variants: {row.kinds}."]
                    if row.kinds
                    else []
                ),
                *([gone] if row.remembered else []),
                f"A/A check, every two seeds of one variant through the same rule: {pairs}.",
            ]
        )
    )
    return Section("How far the intervals can be trusted", body)


SAME_VARIANT = Sheet("table-AA", "A/A check", CheckRow, _fill, section=_section)
