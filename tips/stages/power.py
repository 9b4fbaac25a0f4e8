"""Tells the smallest difference that each conclusion could show, and what would decide it."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.table import Table

from tips import records
from tips.config import ConfigError, Study, load_study
from tips.kept import names
from tips.paths import Paths, study_paths
from tips.planning import deciding
from tips.planning.deciding import SCORING, Cost, Power, Seconds, sides_of
from tips.reporting import job_times
from tips.tables.claims import CLAIMS, ClaimRow, checked
from tips.tables.compared import UNKNOWN
from tips.tables.published import load_tables

EXPERIMENTS = Path("experiments")
HEADER = ("", "the paper concludes", "now", "shows from", "margin", "needed for it", "minutes")


def run(
    claim: str = "", scale: str = "desk", root: str = "", seeds: int = 0, json: Path | None = None
) -> None:
    """Shows the power of the paper's conclusions, from the variances that the study measured.

    A table has a row per conclusion: the smallest true difference that it could show with a
    probability of 80 %, and the seeds of both rows, or seeds and validation sequences, with which
    no difference would be called equivalent within the margin, and one of the margin be shown,
    with 80 % each. Minutes are those of the further runs of both rows on this machine, one job
    after the other, by the times that Snakemake noted.

    Args:
        claim: Takes one conclusion (`II:e-b`), those of one table (`II`), or those whose text has
            these words; empty takes all.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        seeds: Asks what this number of seeds of both rows could show; 0 takes those there are.
        json: Also writes the answer to this file, as json.

    Raises:
        ConfigError: no conclusion is called so, or the number of seeds is negative.
        RecordError: the study was not tabulated, or a file of times is malformed.
    """
    if seeds < 0:
        raise ConfigError(f"--seeds must be positive, or 0 for those there are; got {seeds}")
    study = load_study(scale, EXPERIMENTS, root or None)
    paths = study_paths(study.scale)
    tables = load_tables(EXPERIMENTS / "tables.yaml", study.scale.dataset.release)
    rows = CLAIMS.read(paths)
    number, seconds = checked(rows), _seconds(study, paths)
    answers = [
        (row, deciding.power(row, sides_of(row, study, tables, paths), number, seeds, seconds))
        for row in select(claim, rows)
    ]
    if json is not None:
        records.write_json([_as_json(*answer) for answer in answers], json)
    _show(answers, number)


def select(what: str, rows: Sequence[ClaimRow]) -> Sequence[ClaimRow]:
    """Finds conclusions by name, by table, or by words of their text.

    Args:
        what: a name such as II:e-b, a table such as II, or words; "" selects all.
        rows: all conclusions.

    Raises:
        ConfigError: nothing is called so; the message names what is similar.
    """
    words = what.strip().casefold()
    for found in (
        [row for row in rows if row.name.casefold() == words],
        [row for row in rows if words in (row.table_roman.casefold(), row.table)],
        [row for row in rows if words in row.claim.casefold()],
    ):
        if found:
            return found
    known = {one.casefold(): one for row in rows for one in (row.name, row.claim)}
    near = [f"'{known[one]}'" for one in difflib.get_close_matches(words, known)]
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise ConfigError(
        f"no conclusion '{what}'; name it (II:e-b), its table (II) or words of its text{hint}"
    )


def _seconds(study: Study, paths: Paths) -> Seconds:
    """Gives a function that tells the mean time of a rule for a variant, s; None if unknown."""
    boxes, benchmarks = study.scale.evaluation.boxes, paths.results / "benchmarks"

    def features(variant: str) -> float | None:
        """Sums what one seed's features take; other rows read them, too."""
        jobs = names(study, variant, 0) if variant in study.variants else []
        times = [job_times.of_job(benchmarks, "features", "-".join(job)) for job in jobs]
        return None if None in times or not times else sum(time for time in times if time)

    def seconds(rule: str, variant: str) -> float | None:
        if rule == "features":
            return features(variant)
        own = f"{rule}_{boxes}" if rule in SCORING and boxes != "gt" else rule
        times = job_times.of_variant(benchmarks, own, variant)
        return fmean(times) if times else None

    return seconds


def _show(answers: Sequence[tuple[ClaimRow, Power | None]], number: int) -> None:
    table = Table(
        title="What the paper's conclusions could show here",
        caption=f"Now: seeds x sequences. Shows from: smallest true difference in points that is "
        f"shown with 80 % power, at 5 % / {number}, the strictest of Holm's levels for {number} "
        "conclusions. Needed: with it, a difference of 0 is called equivalent within the margin, "
        "and one of the margin is shown, with 80 % each. Minutes: further runs of both rows on "
        "this machine, one after the other; making further sequences is not counted.",
    )
    for name in HEADER[:2]:
        table.add_column(name, overflow="fold")
    for name in HEADER[2:]:
        table.add_column(name, justify="right")
    for row, power in answers:
        for line in _lines(row, power):
            table.add_row(*line)
    console = Console(highlight=False)
    console.print(table)
    for lacking in dict.fromkeys(row.decides for row, _ in answers if row.verdict == UNKNOWN):
        console.print(f"Where it is unknown, it needs {lacking}.", markup=False)


def _lines(row: ClaimRow, power: Power | None) -> list[tuple[str, ...]]:
    """Writes one conclusion: a line, and one more if there are two ways to decide it."""
    seeds = row.n_seeds if power is None else power.seeds
    first = (row.name, row.said, f"{seeds} x {row.n_sequences}" if seeds else "")
    margin = f"±{row.margin:g}"
    if power is None:
        return [(*first, row.verdict, margin, "", "")]
    alone, together = power.needs
    ways = []
    if power.alone is not None:
        ways.append((f"{alone} seeds", _minutes(power.alone)))
    if alone is None or together.seeds < alone:
        ways.append((f"{together.seeds} x {together.sequences}", _minutes(power.together)))
    start = (*first, f"{power.smallest:.2f}", margin)
    return [(*(start if not k else ("",) * len(start)), *way) for k, way in enumerate(ways)]


def _minutes(cost: Cost) -> str:
    return cost.lacking if cost.minutes is None else f"{cost.minutes:.1f}"


def _as_json(row: ClaimRow, power: Power | None) -> dict[str, Any]:
    known: dict[str, Any] = {}
    if power is not None:
        known = {
            "smallest": round(power.smallest, 4),
            "seeds_alone": power.needs.alone,
            "minutes_alone": power.alone and power.alone.minutes,
            "together": power.needs.together._asdict(),
            "minutes_together": power.together.minutes,
        }
    return {
        "name": row.name,
        "claim": row.claim,
        "margin": row.margin,
        "verdict": row.verdict,
        "seeds": row.n_seeds if power is None else power.seeds,
        "sequences": row.n_sequences,
    } | known
