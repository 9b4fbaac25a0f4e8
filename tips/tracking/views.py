"""The saved views of MLflow's page of runs: columns, filters, groups and charts, behind a link.

MLflow keeps a view as a tag of the experiment, in JSON, and opens it for an address that names the
tag. MLflow has no other way to save one, and documents none; the names of the keys are those of
its pages.
"""

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from tips.tracking.numbers import CLEAN, DEGRADED, FIRST, GAIN, HIGH, LOW, TOTAL
from tips.tracking.variants import DIFFERS, ROW, TABLES, VERDICT

SAVED: Final = "mlflow.sharedViewState."  # how MLflow calls the tag of a saved view
OURS: Final = "tips-"  # the names of our views start so
VARIANTS: Final = "tags.`tips.kind` = 'variant'"  # one run per variant
MODE: Final = "workflowType=machine_learning"  # else MLflow shows the pages of language models


class View(NamedTuple):
    """One saved view."""

    name: str
    label: str  # what it shows
    state: dict[str, Any]
    charts: bool = False  # whether it opens on the charts and not on the table

    @property
    def tag(self) -> tuple[str, str]:
        """The tag of the experiment that holds it."""
        return f"{SAVED}{self.name}", json.dumps(self.state, separators=(",", ":"), sort_keys=True)

    def address(self, experiment: str) -> str:
        """Gives its address below the server's."""
        mode = "CHART" if self.charts else "TABLE"
        key = f"viewStateShareKey={self.name}"
        return f"#/experiments/{experiment}/runs?{key}&compareRunsMode={mode}&{MODE}"


def views(tables: Iterable[str]) -> list[View]:
    """Lists the saved views of a study.

    Args:
        tables: the numbers of the tables that have a view of their own, such as II.
    """
    return [
        View(f"{OURS}gains", "gains of all variants, charts", _state(GAIN) | _charts(), True),
        View(f"{OURS}variants", "all variants, the best gain first", _state(GAIN)),
        View(f"{OURS}tables", "all variants, grouped by table", _state(GAIN) | _grouped()),
        *(
            View(f"{OURS}table-{table}", f"Table {table}", _state(TOTAL, f"{ROW}{table}"))
            for table in tables
        ),
    ]


def _state(order: str, table: str = "") -> dict[str, Any]:
    """Shows the variants, or those of one table, from the largest value of a metric down."""
    columns = [f"metrics.`{name}`" for name in FIRST]
    columns += [f"tags.`{name}`" for name in (VERDICT, table or TABLES, DIFFERS)]
    return {
        "searchFilter": f"{VARIANTS} AND tags.`{table}` LIKE '%'" if table else VARIANTS,
        "orderByKey": f"metrics.`{order}`",
        "orderByAsc": False,
        "selectedColumns": columns,
        "runsHiddenMode": "SHOW_ALL",
    }


def _grouped() -> dict[str, Any]:
    """Groups runs by the tables that they fill."""
    by = {"mode": "tag", "groupByData": TABLES}
    return {"groupBy": {"aggregateFunction": "average", "groupByKeys": [by]}}


def _charts() -> dict[str, Any]:
    """Draws bars of the gain, its interval and the levels, and lists what differs."""
    section = f"{OURS}section"
    bars = [
        {
            "type": "BAR",
            "uuid": f"{OURS}{name}",
            "metricKey": name,
            "runsCountToCompare": 100,
            "metricSectionId": section,
            "deleted": False,
            "isGenerated": False,
        }
        for name in (GAIN, LOW, HIGH, TOTAL, DEGRADED, CLEAN)
    ]
    sections = {
        "uuid": section,
        "name": "Gain over the single-frame backbone, its interval, and levels",
        "display": True,
        "isReordered": True,
        "deleted": False,
        "isGenerated": False,
    }
    return {"compareRunCharts": bars, "compareRunSections": [sections]}
