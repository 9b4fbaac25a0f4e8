"""Measures the runs of a study again from their predictions, and fills its tables again.

Nothing is written. What the study's files say otherwise is a finding that names file and number.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from tips import records, skeleton
from tips.config import Study
from tips.evaluation.measure import Measured, Truth, load_truth, measure
from tips.evaluation.metrics import ROUNDING, Scored, read_scored, summarize
from tips.paths import Paths
from tips.records import Predictions, RecordError
from tips.tables import runs
from tips.tables.collect import Collected, Progress
from tips.tables.contents import SHEETS
from tips.tables.published import Tables
from tips.tables.runs import RunFile
from tips.tables.sheet import Page, Sheet
from tips.tables.study_numbers import Numbers, NumbersRow, read_numbers

# Columns that tell how a row compares with the present code, which is another one elsewhere.
OF_CODE: Final = ("status", "note")


class Finding(NamedTuple):
    """Something that a study's files say and that its predictions do not give."""

    where: str  # a run or a file
    what: str


def measured_again(
    study: Study, paths: Paths, tables: Tables, progress: Progress = iter
) -> list[Finding]:
    """Measures every run again; a run whose predictions were changed or damaged is a finding.

    Args:
        study: the scale with its variants.
        paths: the paths of the study.
        tables: the published tables, which name predictors without a network.
        progress: wraps the loop over runs, to show progress.

    Raises:
        RecordError: the truth is missing or malformed.
    """
    truth = load_truth(study, paths)
    found = []
    for file in progress(runs.find(runs.wanted(study, tables), paths, judge=None)):
        where = f"{file.group}, seed {file.seed}"
        if file.predictions.is_file():
            found += [Finding(where, what) for what in _differences(file, truth, study)]
        elif file.metrics.is_file():
            what = (
                f"{file.predictions.name} is missing, from which {file.metrics.name} was measured"
            )
            found.append(Finding(where, what))
        if file.state == "failed":
            found.append(Finding(where, file.reason))
    return found


def _differences(file: RunFile, truth: Truth, study: Study) -> Iterator[str]:
    """Yields how the metrics of one run differ from what its predictions give."""
    try:
        predictions = records.read(Predictions, file.predictions)
        _judge_between(predictions, file.predictions)
        measured = measure(predictions, truth, study.scale.evaluation)
        now = summarize(predictions, measured, truth)
        if not file.metrics.is_file():
            yield f"{file.metrics.name} is missing, so the run counts nowhere; run the workflow"
            return
        place, then, value = next(_unequal(records.read_object(file.metrics), now), ("", 0, 0))
        if place:
            yield f"{file.metrics.name} says {place} {then}; the predictions give {value}"
        elif not _alike(read_scored(file.metrics, file.evidence), measured):
            yield f"{file.evidence.name} is not what the predictions give"
    except RecordError as error:
        if file.state != "failed":  # then the reason is told anyway
            yield str(error).replace(f"{file.folder}/", "")


def _judge_between(predictions: Predictions, file: Path) -> None:
    """Refuses synthesized poses that lack joints, as only a file from elsewhere has them."""
    for sequence in predictions.sequences:
        for place, one in enumerate(sequence.between):
            if any(len(points) != skeleton.COUNT for points in (one.joints, *one.ends)) or (
                len(one.rough) not in (0, skeleton.COUNT)
            ):
                raise RecordError(
                    f"{file}: {sequence.name}: between[{place}]: a pose has {skeleton.COUNT} "
                    "joints; predict again"
                )


def _unequal(then: Any, now: Any, place: str = "") -> Iterator[tuple[str, str, str]]:
    """Yields places with different values; keys that only `then` has tell how it was made."""
    if isinstance(now, Mapping) and isinstance(then, Mapping):
        for key, value in now.items():
            yield from _unequal(then.get(key), value, f"{place}.{key}" if place else str(key))
    elif isinstance(now, list | tuple) and isinstance(then, list) and len(then) == len(now):
        for index, value in enumerate(now):
            yield from _unequal(then[index], value, f"{place}.{index}")
    elif not _equal(then, now):
        yield place, _number(then), _number(now)


def _equal(then: Any, now: Any) -> bool:
    if isinstance(then, float | int) and isinstance(now, float | int):
        return math.isclose(then, now, rel_tol=ROUNDING, abs_tol=ROUNDING)
    return bool(then == now)


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else f"{value!s:.80}"


def _alike(then: Scored, now: Measured) -> bool:
    """Tells whether stored evidence is what was measured now."""
    sums = None if now.oks is None else now.oks.sums
    return (
        _same_arrays(then.evidence, now.evidence)
        and (then.oks is None) == (sums is None)
        and (sums is None or then.oks is None or _same_arrays(then.oks, sums))
        and then.between.keys() == now.between.keys()
        and all(_same_arrays(then.between[time], now.between[time]) for time in now.between)
    )


def _same_arrays(then: tuple[Any, ...], now: tuple[Any, ...]) -> bool:
    return all(_same_array(np.asarray(a), np.asarray(b)) for a, b in zip(then, now, strict=True))


def _same_array(then: Any, now: Any) -> bool:
    if then.shape != now.shape:
        return False
    if then.dtype.kind in "iufb" and now.dtype.kind in "iufb":
        # Errors of synthesized poses are stored as numbers of 32 bits.
        return np.allclose(then, now, rtol=1e-5, atol=1e-5, equal_nan=True)
    return bool(np.array_equal(then, now))


def page_of(found: Collected) -> Page:
    """Fills every table of a measured study, rounded as the report reads them from files."""
    rows = {
        sheet.stem: [sheet.row.read(row.cells()) for row in sheet.fill(found)]
        for sheet in SHEETS
        if sheet.fill is not None
    }
    return Page(found.study, found.paths, found.tables, rows, {})


def tables_again(page: Page) -> list[Finding]:
    """Compares the tables' files with what the study gives; one finding for a table, its first.

    A table that has no file is none: the study may not have got there yet.
    """
    found = []
    for sheet in SHEETS:
        file = sheet.file(page.paths)
        if sheet.stem in page.rows and file.is_file():
            try:
                what = _first_difference(sheet, page)
            except RecordError as error:
                what = str(error).replace(f"{file}: ", "")
            found += [Finding(file.name, what)] if what else []
    return found


def _first_difference(sheet: Sheet[Any], page: Page) -> str:
    then, now = sheet.read(page.paths), page.of(sheet)
    if len(then) != len(now):
        return f"has {len(then)} rows; the runs give {len(now)}"
    for number, (before, row) in enumerate(zip(then, now, strict=True), start=1):
        old, new = before.cells(), row.cells()
        for name in new:
            if name not in OF_CODE and old[name] != new[name]:
                label = next(iter(new.values())) or str(number)
                return f"row {label}: {name} is {old[name]}; the runs give {new[name]}"
    return ""


def numbers_again(paths: Paths, now: Numbers) -> list[Finding]:
    """Compares the report's numbers.json with what the study gives; the first that differs.

    Args:
        paths: the paths of the study.
        now: the numbers of its runs.
    """
    file = paths.numbers
    if not file.is_file():
        return []
    try:
        told = read_numbers(file)
    except RecordError as error:
        return [Finding(file.name, str(error).replace(f"{file}: ", ""))]
    rows = [
        (row.name, _told(row), _told(now.by_name.get(key))) for key, row in told.by_name.items()
    ]
    conclusions = {one.name: one for one in now.conclusions}
    judged = [(one.name, one, conclusions.get(one.name)) for one in told.conclusions]
    for name, then, value in (*rows, *judged, *_of_user(told, now)):
        if then != value:
            what = f"says of {name} what the runs do not give; run the stage report again"
            return [Finding(file.name, what)]
    return []


def _of_user(told: Numbers, now: Numbers) -> list[tuple[str, Any, Any]]:
    """Lists what the first format does not tell: the user's own variants, and guests."""
    if told.format == 1:
        return []
    return [("your variants", told.own, now.own), ("guests", told.guests, now.guests)]


def _told(row: NumbersRow | None) -> Any:
    """Gives what numbers.json of any format tells of a row."""
    return None if row is None else (row.seeds, row.predictions, row.gains)
