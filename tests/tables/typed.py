"""Rows and pages made up by tests, typed as the tables' own files are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from tips.config import Study
from tips.paths import study_paths
from tips.tables.compared import Line
from tips.tables.contents import SHEETS
from tips.tables.published import load_tables
from tips.tables.row import Row
from tips.tables.sheet import Page, Sheet

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
R = TypeVar("R", bound=Row)
DONE = {"row": "e", "status": "done", "n_seeds": "3", "origin": "ours", "groups": "1"}


def row(kind: type[R], **cells: str) -> R:
    """A row of a table from its cells as text; those that are not given are empty."""
    empty = dict.fromkeys(kind.columns(), "")
    return kind.read(empty | {k: v for k, v in DONE.items() if k in empty} | cells)


def line(**cells: str) -> Line:
    return row(Line, **cells)


def gain(verdict: str) -> dict[str, str]:
    return {"gain_ours": "+1.00", "low": "+0.50", "high": "+1.50", "verdict": verdict}


def page(study: Study, rows: dict[Sheet[Any], Sequence[Row]] | None = None) -> Page:
    """A page on a study whose tables are empty but for the given ones."""
    found = {sheet.stem: () for sheet in SHEETS} | {s.stem: r for s, r in (rows or {}).items()}
    tables = load_tables(EXPERIMENTS / "tables.yaml", study.scale.dataset.release)
    pictures = {sheet.stem: "" for sheet in SHEETS}
    return Page(study, study_paths(study.scale), tables, found, pictures)
