"""Table VI's own columns: the time of a window, and the size of its network as the paper has it."""

from collections.abc import Mapping

from tips.config import Experiment, Study
from tips.paths import Paths
from tips.reporting import cost, sources
from tips.reporting.published import Table
from tips.reporting.rows import plain
from tips.reporting.sources import Speed

NAME = "6"
TIMES = ("speed_ours", "speed_interim_made", "cpu_ours")
SIZES = ("params_paper_size", "gmac_paper_size")
COLUMNS = ("fps_paper", *TIMES, *SIZES)
MISSING = "missing"


def extra(table: Table, study: Study, paths: Paths) -> list[tuple[str, ...]]:
    """The cells of COLUMNS for every row; `missing` where nothing was measured or counted.

    Raises:
        RecordError: speed.json or cost.json is malformed.
    """
    speed = sources.read_if_present(Speed, paths.speed)
    costs = {row["variant"]: row for row in cost.read_costs(paths.cost)}
    cells = []
    for row in table.rows:
        ours = ("",) * len((*TIMES, *SIZES))
        if row.variant is not None:
            ours = (*_times(row.variant, study, speed), *_sizes(costs.get(row.variant)))
        cells.append((table.printed(row, "Speed(FPS)"), *ours))
    return cells


def _times(name: str, study: Study, speed: Speed | None) -> tuple[str, ...]:
    """Over the single-frame reference: wall time without and with interim frames, CPU time."""
    if speed is None or name not in speed.rows or name not in study.variants:
        return (MISSING,) * len(TIMES)
    found = speed.rows[name]
    made = _with_interim(found.wall_ratio, study.variants[name].experiment, speed.interim)
    return plain(found.wall_ratio), MISSING if made is None else plain(made), plain(found.cpu_ratio)


def _with_interim(
    window: float, experiment: Experiment, interim: Mapping[str, float]
) -> float | None:
    """A window's time with all its interim frames made; None if their generator was not timed."""
    if not experiment.interim_frames:
        return window
    one = interim.get(experiment.interim_frames)
    return None if one is None else window + (len(experiment.window) - 1) * one


def _sizes(counted: cost.Entry | None) -> tuple[str, ...]:
    """Parameters and GMAC of one window, VFIT-B with them."""
    if counted is None:
        return (MISSING,) * len(SIZES)
    return str(counted["params"]), f"{counted['gmac']:.1f}"
