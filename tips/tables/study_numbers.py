"""The file numbers.json: what a study found, in a form that programs compare."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, ValidationError, model_validator

from tips.evaluation.metrics import Percent
from tips.records import Record, RecordError, first_problem, read_object

FORMAT: Final = 2
MOST: Final = 2000  # rows, seeds of a row, conclusions: more than any study has
READ: Final = (1, FORMAT)  # format 1 has no `format`, and does not say how its numbers were made
Few = Field(max_length=MOST)
Text = Annotated[str, Field(max_length=1000)]
Points = Annotated[float, Field(ge=-1000, le=1000, allow_inf_nan=False)]
Natural = Annotated[int, Field(ge=0, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Gained(Record):
    """A gain in points with its interval, as the tables round them; null where it is unknown."""

    gain: Points | None
    low: Points | None
    high: Points | None
    verdict: Text

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width, points."""
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


class NumbersRow(Record):
    """One variant on one source of boxes, with every seed that was measured."""

    variant: Text
    boxes: Text
    seeds: Annotated[dict[Text, Percent | None], Few]  # the total of every seed
    predictions: Annotated[dict[Text, Text], Few]  # sha256 by seed
    gains: Annotated[dict[Text, Gained], Few]  # by the baseline
    configuration: Annotated[tuple[Text, ...], Few] = ()  # digests of the trainings' settings
    code: Annotated[tuple[Text, ...], Few] = ()  # digests of the trainings' code

    @property
    def name(self) -> str:
        """The variant; with its boxes unless these are the annotated ones."""
        return self.variant if self.boxes == "gt" else f"{self.variant} ({self.boxes} boxes)"

    @property
    def mean(self) -> float | None:
        """The mean of the seeds' totals, percent; None without any."""
        known = [one for one in self.seeds.values() if one is not None]
        return sum(known) / len(known) if known else None


class Conclusion(Record):
    """One conclusion of the paper, as the study judges it."""

    claim: Text
    table: Text
    rows: tuple[Text, Text]
    part: Text | None
    expects: Text
    margin: Points
    p_adjusted: Share | None
    gain: Points | None
    low: Points | None
    high: Points | None
    verdict: Text

    @property
    def name(self) -> str:
        """A short name, such as II:e-b."""
        part = f":{self.part}" if self.part else ""
        return f"{self.table}:{self.rows[0]}-{self.rows[1]}{part}"


class OwnComparison(Record):
    """One variant of the user's beside one row that its file names."""

    variant: Text
    extends: Text | None
    changes: Annotated[tuple[Text, ...], Few]
    than: Text | None
    expects: Text | None
    expected: Text | None
    margin: Points
    p_adjusted: Share | None
    smallest: Points | None
    decides: Text | None
    seeds: Natural | None
    parameters: float | None
    seconds: float | None
    gain: Points | None
    low: Points | None
    high: Points | None
    verdict: Text


class GuestNumbers(Record):
    """One guest: predictions that something else made."""

    guest: Text
    made: Text
    total: Percent | None
    lacking: Text  # joints that it never predicts
    gains: Annotated[dict[Text, Gained], Few]
    full_model_over_it: Gained


class Surroundings(Record):
    """What a number of trainings have in common: commit, device, machine, versions."""

    trainings: Natural
    facts: Annotated[dict[Text, Text], Few]


class Numbers(Record):
    """The whole file."""

    format: int = 1
    scale: Text
    dataset: Text
    metric: Text
    sequences: Natural
    task: Text = ""  # digest of what decides the meaning of a row: data, evaluation, schedule
    data: Text = ""  # digest of the dataset's manifest
    annotations: Text = ""  # digest of the validation split's annotations
    made: Annotated[tuple[Surroundings, ...], Few] = ()
    rows: Annotated[tuple[NumbersRow, ...], Few]
    conclusions: Annotated[tuple[Conclusion, ...], Few]
    own: Annotated[tuple[OwnComparison, ...], Few] = ()
    guests: Annotated[tuple[GuestNumbers, ...], Few] = ()

    @model_validator(mode="after")
    def _distinct(self) -> "Numbers":
        for names in ([row.name for row in self.rows], [one.name for one in self.conclusions]):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"'{twice:.100}' stands there twice")
        return self

    @property
    def by_name(self) -> Mapping[tuple[str, str], NumbersRow]:
        """The rows by variant and boxes."""
        return {(row.variant, row.boxes): row for row in self.rows}


def read_numbers(path: Path) -> Numbers:
    """Reads numbers.json.

    Raises:
        RecordError: the file is missing, of another format, or malformed.
    """
    told = read_object(path)
    form = told.get("format", 1)
    if form not in READ:
        raise RecordError(
            f"{path}: format {form!r:.40} of numbers.json; this version reads "
            f"{' and '.join(map(str, READ))}; use the version of tips that wrote it, or make the "
            "report again"
        )
    try:
        return Numbers.model_validate(told)
    except ValidationError as error:
        raise RecordError(
            f"{path}: {first_problem(error)}; it must be the numbers.json of a report of this "
            "project"
        ) from error
