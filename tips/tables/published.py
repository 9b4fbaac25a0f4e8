"""Reads experiments/tables.yaml: every published row of Tables II-XI, and its variant here."""

from decimal import Decimal
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tips import skeleton
from tips.config import ConfigError
from tips.config.layers import read_yaml
from tips.config.scale import Release
from tips.evaluation.verdicts import Expects
from tips.tables.cells import number

PARTS = tuple(skeleton.COLUMNS)
TOTAL = "Total"
Origin = Literal["published", "ours", "re-implemented", "re-implemented, MI surrogate"]
MARGIN = Decimal("0.5")  # points; largest margin of a claim
ROUNDING = Decimal("0.1")  # largest error of a total that is computed from rounded columns


class Part(BaseModel):
    """Base of every part of the file. Parts are frozen, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Row(Part):
    """One row: what the paper prints, and the variant that fills it (null: only quoted)."""

    row: str
    label: str
    variant: str | None
    printed: tuple[str, ...]
    boxes: Literal["gt", "detected"] = "gt"
    baseline: str | None = None  # replaces the table's
    network: bool = True  # False for a predictor without training, which has no experiment file
    elsewhere: str | None = None  # the row's variant, if it is only quoted for this study's dataset


class Claim(Part):
    """One conclusion of the paper's text: row `row` is better than row `than`, or about as good."""

    row: str
    than: str
    says: str
    margin: Decimal = Field(gt=0)  # points; a difference that is surely smaller counts as none
    expects: Expects = "more"
    part: str | None = None  # a part of Fig. 4, whose OKS is compared instead of the total


class Table(Part):
    """One table as the paper prints it."""

    name: str
    roman: str
    title: str
    dataset: str | None
    release: Release | None = None  # the dataset that our rows must be measured on; None: any
    columns: tuple[str, ...]
    value: str | None  # the printed column that is compared with ours
    baseline: str | None  # the variant that gains are computed over
    baseline_on_boxes: str = ""  # the baseline in other papers, on the other rows' boxes
    notes: tuple[str, ...]
    claims: tuple[Claim, ...]
    rows: tuple[Row, ...]

    @model_validator(mode="after")
    def _consistent(self) -> "Table":
        keys = [row.row for row in self.rows]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(
                f"table {self.name}: row keys must be unique; twice: {', '.join(twice)}"
            )
        for row in self.rows:
            if len(row.printed) != len(self.columns):
                raise ValueError(
                    f"table {self.name}, row {row.row}: {len(row.printed)} cells under "
                    f"{len(self.columns)} columns"
                )
        for claim in self.claims:
            for key in (claim.row, claim.than):
                if key not in keys:
                    raise ValueError(f"table {self.name}: a claim names the unknown row '{key}'")
            if claim.part not in (None, *PARTS):
                raise ValueError(
                    f"table {self.name}: a claim names the unknown part '{claim.part}'; known: "
                    f"{', '.join(PARTS)}"
                )
        if self.value is not None and self.value not in self.columns:
            raise ValueError(f"table {self.name}: value '{self.value}' is no printed column")
        return self

    def row(self, key: str) -> Row:
        """Finds a row by its key."""
        return next(row for row in self.rows if row.row == key)

    def printed(self, row: Row, column: str) -> str:
        """Gives one printed cell, "" if the paper prints none."""
        return row.printed[self.columns.index(column)] if column in self.columns else ""

    def paper(self, row: Row) -> str:
        """Gives the row's printed number in the compared column, as text; "" if there is none."""
        return self.printed(row, self.value) if self.value is not None else ""

    def baseline_of(self, row: Row) -> str | None:
        """Gives the variant that a row's gain is computed over; None for the baseline itself."""
        baseline = row.baseline or self.baseline
        return None if baseline == row.variant else baseline

    def paper_gain(self, row: Row) -> str:
        """Gives the exact printed gain over the baseline's row; "" if a number is missing."""
        baseline = self.baseline_of(row)
        for other in self.rows:
            if baseline is not None and other.variant == baseline:
                return printed_difference(self.paper(row), self.paper(other))
        return ""


class Tables(Part):
    """The whole file."""

    tables: tuple[Table, ...]
    origins: dict[str, Origin] = {}  # origins of the variants that are not ours

    @model_validator(mode="after")
    def _known(self) -> "Tables":
        unknown = sorted(set(self.origins) - self.named)
        if unknown:
            raise ValueError(f"origins: no row names the variant {', '.join(unknown)}")
        return self

    @property
    def named(self) -> frozenset[str]:
        """Every variant that the file names, for whatever dataset."""
        rows = (row for table in self.tables for row in table.rows)
        return frozenset(name for row in rows if (name := row.variant or row.elsewhere))

    def origin(self, row: Row) -> Origin:
        """Tells whose network a row shows: only quoted, another paper's written again, or ours."""
        return "published" if row.variant is None else self.origins.get(row.variant, "ours")

    def table(self, name: str) -> Table:
        """Finds a table by its number. Raises ConfigError."""
        for table in self.tables:
            if table.name == name:
                return table
        raise ConfigError(
            f"no table '{name}' in tables.yaml; known: {', '.join(t.name for t in self.tables)}"
        )

    @property
    def paper(self) -> tuple[Table, ...]:
        """The paper's own tables, II-XI."""
        return tuple(table for table in self.tables if table.name.isdigit())

    def trainings(self, own: bool = False) -> tuple[str, ...]:
        """Lists the variants that need a training, each once; `own` adds our controls."""
        tables = self.tables if own else self.paper
        rows = [row for table in tables for row in table.rows if row.variant and row.network]
        return tuple(dict.fromkeys(str(row.variant) for row in rows))


class Check(NamedTuple):
    """Checks a printed row: Total = (3 Head + 2 (the six others)) / 15, the AP of 15 joints."""

    table: str
    row: str
    printed: Decimal
    computed: Decimal
    holds: bool


def load_tables(path: Path, release: Release | None = None) -> Tables:
    """Reads tables.yaml for a study of one dataset.

    Args:
        path: the path of the file.
        release: the published dataset that the study was measured on; None for another dataset.
            Rows of tables that ask for another dataset are only quoted.

    Raises:
        ConfigError: a record is malformed; the message names file and record.
    """
    try:
        tables = Tables.model_validate(read_yaml(path))
        measured = tuple(_measured_on(table, release) for table in tables.tables)
        return tables.model_copy(update={"tables": measured})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ConfigError(f"{path}: {where}: {first['msg']}") from error


def _measured_on(table: Table, release: Release | None) -> Table:
    if table.release in (None, release):
        return table
    quoted = tuple(
        row.model_copy(update={"variant": None, "elsewhere": row.variant}) for row in table.rows
    )
    return table.model_copy(update={"rows": quoted})


def printed_difference(ours: str, other: str) -> str:
    """Gives the exact difference of two printed numbers with a sign; "" if one is missing."""
    first, second = number(ours), number(other)
    return "" if first is None or second is None else f"{first - second:+}"


def check_totals(table: Table) -> list[Check]:
    """Checks the printed total of every complete row of Tables VIII-X against its seven columns.

    Table XI is not checked: it has other joints, and its average "Avg" weights them differently.
    """
    if TOTAL not in table.columns:
        return []
    checks = []
    for row in table.rows:
        cells = [number(table.printed(row, part)) for part in PARTS]
        printed = number(table.printed(row, TOTAL))
        if printed is None or any(cell is None for cell in cells):
            continue
        head, *others = [cell for cell in cells if cell is not None]
        computed = (3 * head + 2 * sum(others, Decimal(0))) / 15
        holds = abs(computed - printed) <= ROUNDING
        checks.append(Check(table.name, row.row, printed, computed, holds))
    return checks
