"""Counts what every network costs at the paper's size, beside the paper's numbers."""

from pathlib import Path

from tips import records
from tips.config import ConfigError
from tips.opened import EXPERIMENTS
from tips.planning.counting import INTERPOLATORS, Row, cost, interpolator_cost, memory, speeds
from tips.planning.subject import subject
from tips.progress import track
from tips.reporting.cost import page
from tips.tables.costs import read_costs, read_timed
from tips.tables.paper_size import network, open_networks


def run(
    json: Path = Path("results/cost/cost.json"),
    report: Path = Path("reports/cost/cost.md"),
    timed: Path = Path("results/bench/cost.json"),
    measure: bool = False,
    repeats: int = 3,
) -> None:
    """Writes parameters, multiply-adds and memory of every variant of Tables II-VIII, and a page.

    Models are built on torch's meta device: nothing is computed and no weight is held. If a model
    looks at interim frames, VFIT-B makes each of them, as in the paper, and its parameters and
    multiply-adds count. The memory of activations is that of the model alone, with interim frames
    given.

    Args:
        json: Writes the record to this file, a list with one entry per network; with `measure` it
            holds the times as well.
        report: Writes the page to this Markdown file.
        timed: Reads the times that the page shows from this file, if it exists; with `measure` it
            is written.
        measure: Also times the rows of Tables VI and VIII on this machine, which takes minutes.
        repeats: Sets the number of timed rounds.

    Raises:
        ConfigError: no rounds.
        RecordError: the file of the times is malformed.
    """
    if repeats < 1:
        raise ConfigError(f"--repeats must be at least 1; got {repeats}")
    times = [] if measure else read_timed(timed)  # refuses a damaged file before the long work
    networks = open_networks(EXPERIMENTS)
    rows = [interpolator_cost(name) for name in INTERPOLATORS]
    experiments = {name: networks.study.variant(name).experiment for name in networks.names}
    known: dict[str, Row] = {}
    for name, experiment in track(experiments.items(), "cost", len(experiments)):
        kind = network(experiment)
        if kind not in known:
            counted = subject(experiment, "meta")
            known[kind] = cost(counted, rows[0]) | memory(counted)
        rows.append({"variant": name, "title": experiment.title} | known[kind])
    if measure:
        measured = speeds(rows, networks, repeats)
        records.write_json(measured, timed)
        of = {one["variant"]: one for one in measured}
        times = read_timed(timed)
        rows = [row | of.get(row["variant"], {}) for row in rows]
    records.write_json(rows, json)
    with records.atomic(report) as stream:
        stream.write(page(read_costs(json), networks.tables, times))
    print(json, report, *([timed] if measure else []), sep="\n")
