"""Makes Table VI: window lengths, the time of a window, and its network's size in the paper."""

from collections.abc import Mapping
from dataclasses import dataclass

from tips.config import Experiment, Study
from tips.tables import markdown, sources
from tips.tables.ablations import heading, noted, title
from tips.tables.cells import Absent, Level, Parameters, Tenths, Value, known, plain, rounded
from tips.tables.collect import Collected
from tips.tables.compared import Line, comparison, extended, lines, table_sheet
from tips.tables.costs import read_costs
from tips.tables.published import Table
from tips.tables.sheet import Page, Section
from tips.tables.sources import Cost, Speed

NAME = "6"
FPS = "Speed(FPS)"
HEADS = (
    *("FPS, paper", "time, interim given", "time, interim made"),
    *("params, paper's size", "GMAC, paper's size"),
)
SIZES = (
    "\nParameters and GMAC are the row's network at the paper's size (`tips cost`). Where it looks "
    "at interim frames, VFIT-B is in them: once in the parameters, once per interim frame in the "
    "GMAC.\n"
)


@dataclass(frozen=True)
class SpeedLine(Line):
    """A row of Table VI. Times are divided by those of the single-frame reference."""

    fps_paper: str  # as printed
    speed_ours: Level  # wall time of a window whose interim frames are at hand
    speed_interim_made: Level  # the same, with the time that making these frames takes
    cpu_ours: Level
    params_paper_size: Parameters
    gmac_paper_size: Tenths


def fill(table: Table, found: Collected) -> list[SpeedLine]:
    """Makes the rows. Raises RecordError where speed.json or cost.json is malformed."""
    speed = sources.read_if_present(Speed, found.paths.speed)
    costs = {one.variant: one for one in read_costs(found.paths.cost)}
    made = []
    for row, line in zip(table.rows, lines(table, found), strict=True):
        wall, whole, cpu = _times(row.variant, found.study, speed)
        params, gmac = _sizes(row.variant, costs)
        made.append(
            extended(
                SpeedLine,
                line,
                fps_paper=table.printed(row, FPS),
                speed_ours=wall,
                speed_interim_made=whole,
                cpu_ours=cpu,
                params_paper_size=params,
                gmac_paper_size=gmac,
            )
        )
    return made


def _times(name: str | None, study: Study, speed: Speed | None) -> tuple[Value, Value, Value]:
    """Gives wall time without and with making interim frames, and CPU time, as ratios."""
    if name is None:
        return (Absent.NONE,) * 3
    if speed is None or name not in speed.rows or name not in study.variants:
        return (Absent.MISSING,) * 3
    found = speed.rows[name]
    made = _with_interim(found.wall_ratio, study.variants[name].experiment, speed.interim)
    return found.wall_ratio, Absent.MISSING if made is None else made, found.cpu_ratio


def _with_interim(
    window: float, experiment: Experiment, interim: Mapping[str, float]
) -> float | None:
    """Adds the time of making all interim frames of a window; None if it was not measured."""
    if not experiment.interim_frames:
        return window
    one = interim.get(experiment.interim_frames)
    return None if one is None else window + (len(experiment.window) - 1) * one


def _sizes(name: str | None, costs: Mapping[str, Cost]) -> tuple[int | Absent, Value]:
    """Gives parameters and GMAC of one window, those of VFIT-B included."""
    if name is None:
        return Absent.NONE, Absent.NONE
    if name not in costs:
        return Absent.MISSING, Absent.MISSING
    return costs[name].params, costs[name].gmac


def _section(page: Page) -> Section:
    table, rows = page.tables.table(NAME), page.of(SPEED)
    header, cells, align = comparison(rows, table)
    whole = [[*cell, *_cells(row)] for cell, row in zip(cells, rows, strict=True)]
    body = heading(table) + markdown.table((*header, *HEADS), whole, align + "r")
    body += _note(sources.read_if_present(Speed, page.paths.speed)) + SIZES
    return Section(title(table), body + noted(table))


def _cells(row: SpeedLine) -> list[str]:
    """Writes the cells of a row under HEADS."""
    params = row.params_paper_size
    return [
        row.fps_paper,
        _ratio(row.speed_ours),
        _ratio(row.speed_interim_made),
        str(params) if isinstance(params, Absent) else f"{params / 1e6:.1f}M",
        rounded(row.gmac_paper_size, 1),
    ]


def _ratio(value: Value) -> str:
    return f"x {plain(value)}" if known(value) else str(value)


def _note(speed: Speed | None) -> str:
    if speed is None:
        return "\nOur speed was not measured (speed.json is missing).\n"
    more = "; ".join(f"{markdown.code(name)} {value:.2f}" for name, value in speed.interim.items())
    return (
        f"\nTime, ours: wall time per window over that of {markdown.code(speed.reference)}, models "
        f"interleaved in one process ({markdown.text(speed.device)}, {speed.threads} threads, "
        f"{markdown.text(speed.kernels)} kernels). "
        "*Given*: interim frames at hand; *made*: the time of making each of the window's as well, "
        "as the paper's FPS have it. Rows that look at none have one figure."
        + (
            f" One interim frame of the crop's size costs, in the same unit: {more}."
            if more
            else ""
        )
        + "\n"
    )


SPEED = table_sheet(NAME, SpeedLine, fill, _section)
