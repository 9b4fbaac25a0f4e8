"""Reads the records of `tips cost`: what every network costs, and the times that were measured."""

from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from tips.records import RecordError, first_problem, read_json
from tips.tables.sources import Cost, Source, Timed

S = TypeVar("S", bound=Source)


def read_costs(path: Path) -> list[Cost]:
    """Reads the record of `tips cost`; it is empty without a file. Raises RecordError."""
    return _read(Cost, path, "run `tips cost` again")


def read_timed(path: Path) -> list[Timed]:
    """Reads the times of `tips cost --measure`; empty without a file. Raises RecordError."""
    return _read(Timed, path, "delete it, or run `tips cost --measure`")


def _read(kind: type[S], path: Path, remedy: str) -> list[S]:
    if not path.is_file():
        return []
    try:
        found: list[S] = TypeAdapter(list[kind]).validate_python(read_json(path, remedy))  # type: ignore[valid-type]
    except ValidationError as error:
        raise RecordError(f"{path}: {first_problem(error)}; {remedy}") from error
    return found
