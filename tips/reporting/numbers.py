"""The numbers of a report for programs: every row, and every conclusion of the paper."""

from typing import Any

from tips.config import CAPACITY_CONTROL
from tips.evaluation.metrics import Metrics
from tips.records import read
from tips.tables import runs
from tips.tables.cells import Value, known
from tips.tables.claims import CLAIMS, ClaimRow
from tips.tables.compared import Gain, group_of
from tips.tables.contents import SHEETS
from tips.tables.guest_rows import GUESTS, GuestLine
from tips.tables.runs import Group
from tips.tables.same_variant import SAME_VARIANT
from tips.tables.sheet import Page


def numbers(page: Page) -> dict[str, Any]:
    """Gathers what numbers.json holds: numbers as the tables round them, no time and no path.

    `rows` are the variants on one source of boxes each, with the total of every seed in percent,
    the sha256 of its predictions, and the gains over each baseline of a table in points.
    `conclusions` are the paper's, as the report judges them. `guests` are scored on the same
    frames, and no other number depends on them. A number that is unknown is null.

    Args:
        page: the rows of all tables, and the study.

    Raises:
        RecordError: the metrics of a run are malformed.
    """
    return {
        "scale": page.study.scale.name,
        "dataset": page.paths.dataset,
        "metric": page.study.scale.dataset.metric,
        "sequences": page.row(SAME_VARIANT).sequences,
        "rows": _rows(page),
        "conclusions": [_conclusion(row) for row in page.of(CLAIMS)],
        "guests": [_guest(row) for row in page.of(GUESTS)],
    }


def _guest(row: GuestLine) -> dict[str, Any]:
    return {
        "guest": row.row,
        "made": row.made,
        "total": _number(row.ours),
        "lacking": row.lacking,
        "gains": {row.baseline: _gain(row.gain), CAPACITY_CONTROL: _gain(row.wide)},
        "full_model_over_it": _gain(row.tips),
    }


def _rows(page: Page) -> list[dict[str, Any]]:
    gains = _gains(page)
    wanted = runs.wanted(page.study, page.tables)
    found = [file for file in runs.find(wanted, page.paths, judge=None) if file.state == "present"]
    measured = {(file.group, file.seed): read(Metrics, file.metrics) for file in found}
    rows = []
    for group in wanted:
        own = {str(seed): one for (owner, seed), one in measured.items() if owner == group}
        rows.append(
            {
                "variant": group.variant,
                "boxes": group.boxes,
                "seeds": {seed: _rounded(one.total) for seed, one in own.items()},
                "predictions": {seed: one.inputs["predictions"] for seed, one in own.items()},
                "gains": gains.get(group, {}),
            }
        )
    return rows


def _gains(page: Page) -> dict[Group, dict[str, dict[str, Any]]]:
    """Gives the gains of every group that the tables show, by the baseline."""
    usual = page.study.scale.evaluation.boxes
    places = {
        (f"table-{table.name}", row.row): group_of(row, page.study)
        for table in page.tables.tables
        for row in table.rows
    }
    found: dict[Group, dict[str, dict[str, Any]]] = {}
    for sheet in SHEETS:
        for line in page.of(sheet) if sheet.compares else ():
            group = places.get((sheet.stem, line.row), Group(line.variant, usual))
            for over, gain in ((line.baseline, line.gain), (CAPACITY_CONTROL, line.wide)):
                if group is not None and known(gain.value):
                    found.setdefault(group, {})[over] = _gain(gain)
    return found


def _gain(gain: Gain) -> dict[str, Any]:
    return {
        "gain": _number(gain.value),
        "low": _number(gain.low),
        "high": _number(gain.high),
        "verdict": gain.verdict,
    }


def _conclusion(row: ClaimRow) -> dict[str, Any]:
    return {
        "claim": row.claim,
        "table": row.table_roman,
        "rows": [row.row, row.than],
        "part": row.part or None,
        "expects": row.expects,
        "margin": row.margin,
        "p_adjusted": _number(row.p_adjusted),
        **_gain(row.gain),
    }


def _number(value: Value) -> float | None:
    return value if known(value) else None


def _rounded(total: float | None) -> float | None:
    return None if total is None else round(total, 2)
