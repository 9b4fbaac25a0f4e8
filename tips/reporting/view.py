"""The CSV files of `tabulate` as a reader wants to see them: the only source of the report."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tips.config import BACKBONE
from tips.records import RecordError

Row = Mapping[str, str]
# A cell that should hold a number and says why it does not.
NUMBERLESS = ("missing", "failed", "unknown")
READINGS = {
    ("above", True): "same sign",
    ("below", True): "opposite sign",
    ("above", False): "opposite sign",
    ("below", False): "same sign",
}
COMPARED = (
    "",
    "setting",
    "paper",
    "ours ± sd (seeds)",
    "gain, paper",
    "gain, ours",
    "over concat-wide",
)
COMPARED_ALIGN = "llrrrll"
ORIGIN = "network"  # head of the column that says whose a row's network is


class Shown(NamedTuple):
    """A table as a reader sees it."""

    header: tuple[str, ...]
    cells: list[list[str]]
    align: str


def read(path: Path) -> list[Row]:
    """Reads one CSV of `tabulate`. Raises RecordError."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))
    except FileNotFoundError as error:
        raise RecordError(f"{path}: no such file; run the stage tabulate first") from error


def comparison(rows: Sequence[Row]) -> Shown:
    """Rows under the heads COMPARED, and whose network each is where they are not all ours."""
    cells = [compared(row) for row in rows]
    if all(row["origin"] == "ours" or row["variant"] == BACKBONE for row in rows):
        return Shown(COMPARED, cells, COMPARED_ALIGN)
    named = [[*cell[:2], row["origin"], *cell[2:]] for cell, row in zip(cells, rows, strict=True)]
    header = (*COMPARED[:2], ORIGIN, *COMPARED[2:])
    return Shown(header, named, f"l{COMPARED_ALIGN}")


def compared(row: Row) -> list[str]:
    """One row of Tables II-VII, C or `variants` under the heads COMPARED."""
    return [
        key(row["row"]),
        row["label"],
        row["paper"],
        ours(row),
        row["gain_paper"],
        f"{gain(row, 'gain_ours', 'low', 'high')} {reading(row)}".strip(),
        wide(row),
    ]


def key(name: str) -> str:
    """A row's key as the paper prints it: single letters in brackets."""
    return f"({name})" if len(name) == 1 and name.isalpha() else name


def ours(row: Row) -> str:
    """Our number with its deviation and seeds, and its status where that is not `done`."""
    if row["status"] == "published":
        return "published only"
    if row["ours"] in NUMBERLESS:
        return f"{row['ours']}{_note(row)}"
    sd = f" ± {row['sd']}" if row["sd"] else ""
    status = "" if row["status"] == "done" else f" {row['status']}"
    return f"{row['ours']}{sd} ({row['n_seeds']}){status}{_note(row)}"


def gain(row: Row, value: str, low: str, high: str) -> str:
    """A difference with its interval."""
    if not row[value] or row[value] in NUMBERLESS:
        return row[value]
    if row[low] == "unknown":
        return f"{row[value]} [interval unknown]"
    return f"{row[value]} [{row[low]}, {row[high]}]"


def wide(row: Row) -> str:
    """The gain over the capacity control with what its interval says."""
    text = gain(row, "gain_wide", "low_wide", "high_wide")
    return f"{text} {row['verdict_wide']}".strip()


def reading(row: Row) -> str:
    """What the gain's interval says about the paper's gain, or about the sign where it has none."""
    verdict = row["verdict"]
    if verdict == "not separable" or not verdict or not row["gain_paper"]:
        return verdict
    return READINGS[verdict, float(row["gain_paper"]) > 0]


def claim(row: Row) -> str:
    """A conclusion of table-claims; whose the other network is, where it is none of ours."""
    origin = row["than_origin"]
    return f"{row['claim']} ({origin})" if origin.startswith("re-implemented,") else row["claim"]


def _note(row: Row) -> str:
    return f": {row['note']}" if row["note"] else ""
