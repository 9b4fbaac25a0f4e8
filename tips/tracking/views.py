"""The saved views of MLflow's page of runs: columns, filters, groups and charts, behind a link.

MLflow keeps a view as a tag of the experiment, in JSON, and opens it for an address that names the
tag. MLflow has no other way to save one, and documents none; the names of the keys are those of
its pages.
"""

import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from tips.config import MEAN_POSE
from tips.tables import markdown
from tips.tables.sheet import Section
from tips.tracking.shown import CLEAN, DEGRADED, FIRST, GAIN, HIGH, LOW, TOTAL
from tips.tracking.variants import DIFFERS, ROW, TABLES, VERDICT

SAVED: Final = "mlflow.sharedViewState."  # how MLflow calls the tag of a saved view
OURS: Final = "tips-"  # the names of our views start so
VARIANTS: Final = "tags.`tips.kind` = 'variant'"  # one run per variant
# The mean pose is so far below the networks that their bars would all look alike.
NETWORKS: Final = f"{VARIANTS} AND tags.`tips.variant` != '{MEAN_POSE}'"
PORT: Final = 5000  # where `make ui` serves MLflow's pages, on the same machine
FIRST_EXPERIMENT: Final = "1"  # the number of the experiment of a database that `track` made
DEFAULT: Final = "desk"  # the scale that `make` takes if none is named
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
        View(f"{OURS}gains", "gains of all networks, as charts", _state(GAIN) | _charts(), True),
        View(f"{OURS}variants", "all variants, the best gain first", _state(GAIN)),
        View(f"{OURS}tables", "all variants, grouped by table", _state(GAIN) | _grouped()),
        *(View(f"{OURS}table-{table}", f"Table {table}", _state(TOTAL, table)) for table in tables),
    ]


def served(port: int) -> str:
    """Gives the address of the server that `make ui` starts."""
    return f"http://127.0.0.1:{port}"


def report_section(scale: str) -> Section:
    """Writes the report's section with links to the saved views.

    Args:
        scale: the name of the scale.
    """
    command = "make ui" if scale == DEFAULT else f"make ui SCALE={scale}"
    links = [
        f"[{view.label}]({served(PORT)}/{view.address(FIRST_EXPERIMENT)})" for view in views([])
    ]
    body = (
        f"{markdown.code(command)} serves every run with its curves, settings and files as pages "
        "of MLflow on this machine, until Ctrl-C ends it. While it runs, these links open saved "
        f"views:\n\n{markdown.bullets(links)}"
    )
    return Section("The runs in MLflow", body)


def _state(order: str, table: str = "") -> dict[str, Any]:
    """Shows the variants, or those of one table, from the largest value of a metric down."""
    widths = {f"metrics.`{name}`": 90 for name in FIRST}
    widths |= {f"tags.`{name}`": 130 for name in (VERDICT, f"{ROW}{table}" if table else TABLES)}
    widths |= {f"tags.`{DIFFERS}`": 400}
    widths |= {f"attributes.`{name}`": 230 for name in ("Dataset", "Version", "Source")}
    return {
        "searchFilter": f"{VARIANTS} AND tags.`{ROW}{table}` LIKE '%'" if table else VARIANTS,
        "orderByKey": f"metrics.`{order}`",
        "orderByAsc": False,
        "selectedColumns": list(widths),
        "columnOrder": list(widths),
        "columnWidths": widths,
        "runsHiddenMode": "SHOW_ALL",
    }


def _grouped() -> dict[str, Any]:
    """Groups runs by the tables that they fill."""
    by = {"mode": "tag", "groupByData": TABLES}
    return {"groupBy": {"aggregateFunction": "average", "groupByKeys": [by]}}


def _charts() -> dict[str, Any]:
    """Draws bars of the gain with its interval and of the levels, and lists what differs."""
    sections = [
        _section("Gain and its interval", 3, 700),
        _section("Levels", 3, 700),
        _section("What differs", 1, 500),
    ]
    gains, levels, differing = (str(one["uuid"]) for one in sections)
    bars = [_chart("BAR", name, gains, metricKey=name) for name in (GAIN, LOW, HIGH)]
    bars += [_chart("BAR", name, levels, metricKey=name) for name in (TOTAL, DEGRADED, CLEAN)]
    table = _chart(
        *("DIFFERENCE", "differences", differing),
        compareGroups=["Model metrics", "Parameters"],
        chartName="Numbers and settings in which variants differ",
        showDifferencesOnly=True,
        showChangeFromBaseline=False,
        baselineColumnUuid="",
    )
    return {
        "searchFilter": NETWORKS,
        "compareRunCharts": [*bars, table],
        "compareRunSections": sections,
        "isAccordionReordered": True,  # else MLflow sorts the sections by name
    }


def _section(name: str, columns: int, height: int) -> dict[str, Any]:
    return {
        "uuid": f"{OURS}{name}",
        "name": name,
        "display": True,
        "isReordered": True,
        "deleted": False,
        "isGenerated": False,
        "columns": columns,
        "cardHeight": height,
    }


def _chart(kind: str, name: str, section: str, **settings: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "uuid": f"{OURS}{name}",
        "metricSectionId": section,
        "runsCountToCompare": 100,
        "deleted": False,
        "isGenerated": False,
        **settings,
    }
