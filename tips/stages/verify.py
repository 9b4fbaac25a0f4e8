"""Checks a study without training: measures its predictions again, and compares a reference."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tips import records
from tips.comparison import circumstances, reproduced
from tips.comparison.as_it_is import plain
from tips.comparison.circumstances import Difference
from tips.comparison.remeasured import Finding, measured_again, numbers_again, page_of, tables_again
from tips.comparison.reproduced import Compared
from tips.comparison.sides import Side, committed_reference, side, side_of
from tips.config import NOWHERE, ConfigError, load_scale, needs_root
from tips.placed import Placed, placed
from tips.progress import track
from tips.tables.collect import Progress
from tips.tables.numbers import task
from tips.tables.study_numbers import Numbers, NumbersRow

EXPERIMENTS: Final = Path("experiments")
FAILED: Final = 1  # exit code if a row is outside, or a file is not what the predictions give
HEADER: Final = ("row", "", "here", "there", "over", "gain here", "gain there", "may differ by")
STYLES: Final = {"outside": "red", "identical": "green", "same digits": "green"}


def run(
    study: Path | None = None,
    against: Path | None = None,
    scale: str = "desk",
    root: str = "",
    json: Path | None = None,
) -> None:
    """Measures every run of a study again, and compares its rows with those of a reference.

    Nothing is trained and nothing is written. First the metrics of all runs are computed again from
    their predictions, and the tables from them; what the study's files say otherwise is named. Then
    each row is *identical* to the reference's (equal predictions), has the *same digits*, has its
    gains *within* the joint interval of both studies, or *outside*. Levels are shown and never
    judged, because they move with machines and seeds.

    Args:
        study: Names a project's folder, a folder of results or an archive; none: this study.
        against: Names the reference: one of these, or a numbers.json; none: the committed one.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        json: Also writes the answer to this file, as json.

    Raises:
        ConfigError: the study has no runs, or the reference is of another scale or dataset.
        RecordError: a file is missing or malformed.
        SystemExit: with code 1, if a row is outside or a file is not what the predictions give.
    """
    progress = partial(track, label="measuring")
    with placed(study, scale, root) as one:
        name = "this study" if study is None else str(study)
        here = side_of(one, name)
        reference = against or committed_reference(
            here.numbers.scale, here.numbers.dataset, one.paths
        )
        with side(reference, here.numbers.scale, root) as there:
            judge_task(here.numbers, there, one)
            found = _findings(one, here, progress)
            compared = reproduced.compare(here.numbers, there.numbers)
            apart = circumstances.differences(here.numbers, there.numbers, compared)
            if json is not None:
                records.write_json(_as_json(here, there, compared, apart, found), json)
            _show(compared, apart, found, there)
    if found or any(row.state == "outside" for row in compared):
        sys.exit(FAILED)


def judge_task(here: Numbers, there: Side, one: Placed) -> None:
    """Refuses a reference whose numbers mean something else. Raises ConfigError."""
    told = there.numbers
    if told.dataset != here.dataset or told.metric != here.metric:
        raise ConfigError(
            f"{there.name}: of dataset {told.dataset} ({told.metric}); this study is of "
            f"{here.dataset} ({here.metric}); name a reference of the same dataset"
        )
    if (told.task or _task_of(told.scale)) != here.task:
        raise ConfigError(
            f"{there.name}: of scale {told.scale}, whose data, evaluation or schedule are others "
            f"than those of {here.scale}; `tips diff` shows what differs"
        )


def _task_of(scale: str) -> str:
    """Digests the task of a scale of this project, for numbers that do not tell their own."""
    root = NOWHERE if needs_root(scale, EXPERIMENTS) else None
    return task(load_scale(scale, EXPERIMENTS, root))


def _findings(one: Placed, here: Side, progress: Progress) -> list[Finding]:
    """Lists what the study's files say and its predictions do not give."""
    assert here.found is not None
    found = []
    if one.paths.annotations("val").is_file():
        found += measured_again(one.study, one.paths, one.tables, progress)
    found += tables_again(page_of(here.found))
    found += numbers_again(one.paths, here.numbers)
    return found


def _show(
    compared: Sequence[Compared],
    apart: Sequence[Difference],
    found: Sequence[Finding],
    there: Side,
) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(*HEADER, box=None)
    for row in compared:
        table.add_row(*map(plain, _cells(row)), style=STYLES.get(row.state))
    console.print(table)
    if apart:
        other = Table("what differs", "here", f"in {plain(there.name)}", box=None)
        for one in apart:
            other.add_row(*map(plain, one))
        console.print(other)
    for where, what in found:
        console.print(f"[red]{plain(f'{where}: {what}')}[/red]")
    console.print(plain(summary(compared, apart, found, there.numbers)))


def _cells(row: Compared) -> tuple[str, ...]:
    """Writes one row; of its gains it shows the one that differs most."""
    first = (row.name, row.state, _level(row.here), _level(row.there))
    gain = None if row.state == "identical" else row.farthest
    if gain is None:
        return (*first, "", "", "", "")
    width = "unknown" if gain.half_width is None else f"{gain.half_width:.2f}"
    return (*first, gain.over, f"{gain.here:+.2f}", f"{gain.there:+.2f}", width)


def _level(row: NumbersRow | None) -> str:
    return "" if row is None or row.mean is None else f"{row.mean:.2f}"


def summary(
    compared: Sequence[Compared],
    apart: Sequence[Difference],
    found: Sequence[Finding],
    there: Numbers,
) -> str:
    """Writes the last line: how many rows are in what state, and how the levels differ."""
    states = ", ".join(f"{count} {state}" for state, count in reproduced.counts(compared).items())
    level = reproduced.level(compared)
    levels = "" if level is None else f"; levels {level:+.2f}"
    wrong = f"; {len(found)} files are not what the predictions give" if found else ""
    short = circumstances.in_short(apart, there)
    return f"{len(compared)} rows: {states}{wrong}{levels} ({short})"


def _as_json(
    here: Side,
    there: Side,
    compared: Sequence[Compared],
    apart: Sequence[Difference],
    found: Sequence[Finding],
) -> dict[str, Any]:
    return {
        "study": here.name,
        "reference": there.name,
        "rows": [
            {
                "row": row.name,
                "state": row.state,
                "here": row.here and row.here.mean,
                "there": row.there and row.there.mean,
                "gains": [{**one._asdict(), "outside": one.outside} for one in row.gains],
            }
            for row in compared
        ],
        "counts": reproduced.counts(compared),
        "level": reproduced.level(compared),
        "differences": circumstances.as_json(apart),
        "findings": [one._asdict() for one in found],
        "summary": summary(compared, apart, found, there.numbers),
    }
