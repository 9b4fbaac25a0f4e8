"""Reads what is compared: a study with its runs, or only the numbers that a report left."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from tips.comparison.remeasured import page_of
from tips.config import ConfigError
from tips.paths import Paths
from tips.placed import KINDS, Placed, placed
from tips.records import RecordError
from tips.tables.collect import Collected, Progress, collect
from tips.tables.numbers import numbers
from tips.tables.remembered import remembered
from tips.tables.study_numbers import Numbers, read_numbers

NAME: Final = "numbers.json"
REFERENCES: Final = Path("reports")  # below it lie the committed copies of reports


class Side(NamedTuple):
    """One of the two that are compared."""

    name: str
    numbers: Numbers
    found: Collected | None = None  # None: only numbers are there


@contextmanager
def side(place: Path | None, scale: str, root: str, progress: Progress = iter) -> Iterator[Side]:
    """Opens a study, or the numbers of one, for the time of the block.

    Args:
        place: a project's folder, a folder of results, an archive, numbers.json, or the folder of a
            report that holds it; None is the working folder.
        scale: the scale of the study, if the place holds several.
        root: the dataset's folder, if the scale has none.
        progress: wraps the loop over runs, to show progress.

    Raises:
        ConfigError: the place is none of these.
        RecordError: a file in it is missing or malformed.
    """
    alone = None if place is None else numbers_file(place)
    if alone is not None:
        yield Side(str(place), read_numbers(alone))
        return
    with ExitStack() as stack:
        try:
            one = stack.enter_context(placed(place, scale, root))
        except ConfigError as error:
            also = ", or the numbers.json of a report" if str(error).endswith(KINDS) else ""
            raise ConfigError(f"{error}{also}") from error
        yield side_of(one, "this study" if place is None else str(place), progress)


def numbers_file(place: Path) -> Path | None:
    """Gives the file of numbers if a place is one, or a report's folder with one; else None."""
    if place.is_file() and place.suffix == ".json":
        return place
    own = place / NAME
    return own if own.is_file() and (place / "report.md").is_file() else None


def side_of(one: Placed, name: str, progress: Progress = iter) -> Side:
    """Collects what was measured of a study, and gives its numbers as its report would.

    Raises:
        ConfigError: nothing was measured.
    """
    found = None
    if one.paths.annotations("val").is_file():
        memory = remembered(one.paths)
        read = one.study, one.paths, one.tables, None, memory, progress, one.beside, one.guests
        found = collect(*read)
    if found is None or not found.scored:
        why = next((file.reason for file in found.files if file.reason), "") if found else ""
        raise ConfigError(
            f"{name}: no run of scale {one.study.scale.name} was measured"
            + (f", or none can be read ({why})" if why else "")
            + "; run the study first, or name another one"
        )
    told = Numbers.model_validate(numbers(page_of(found)))
    return Side(name, told, found)


def committed_reference(scale: str, dataset: str, own: Paths) -> Path:
    """Finds the committed copy of a report of this scale and dataset.

    Raises:
        ConfigError: there is none.
    """
    for file in sorted(REFERENCES.glob(f"reference*/{NAME}")):
        try:
            told = read_numbers(file)
        except RecordError as error:
            raise ConfigError(str(error)) from error
        if (told.scale, told.dataset) == (scale, dataset) and file != own.numbers:
            return file
    raise ConfigError(
        f"no committed reference of scale {scale} on {dataset}; --against FILE names a "
        "numbers.json, a study's folder or an archive to compare with"
    )
