"""What `evaluate` wrote of all runs -> every CSV and its LaTeX twin."""

from functools import partial
from pathlib import Path

from tips import records
from tips.chain import Judge
from tips.config import load_study
from tips.paths import study_paths
from tips.progress import track
from tips.proofs import read_proofs
from tips.reporting.contents import SHEETS
from tips.tables.collect import collect
from tips.tables.published import load_tables
from tips.tables.results import Points

MEMORY = "seed-scores.json"  # below results/; no table is made from it while all runs exist


def run(scale: str = "desk", root: str = "", seeds: int = 0) -> None:
    """Writes every table of the report: results/tables/*.csv, figures/figure-4.csv, and .tex twins.

    Everything comes from the metrics and evidence of the runs, the annotations and the few side
    files (groups, speed, cost, PSNR); runs that do not exist are `missing`, runs whose training
    used other code or configuration than the present one are `stale`, with what changed.
    results/seed-scores.json remembers the scores that the seed variance was pooled from, so that a
    deleted run changes no interval but those it is part of; it is read only where a run is gone,
    and dropped when any run scores something else now.

    Args:
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        seeds: seeds of every variant, 0: as the scale says.

    Raises:
        ConfigError: the scale or tables.yaml cannot be used.
        RecordError: annotations or a side file are missing or malformed.
    """
    experiments = Path("experiments")
    study = load_study(scale, experiments, root or None, seeds or None)
    paths = study_paths(study.scale)
    published = load_tables(experiments / "tables.yaml", study.scale.dataset.release)
    progress = partial(track, label="tabulate")
    memory = paths.results / MEMORY
    judge = Judge(study, paths, read_proofs(paths.proofs), contents=False)
    found = collect(study, paths, published, judge, _remembered(memory), progress)
    for sheet in SHEETS:
        sheet.write(found)
    records.write_json(found.results.variance.points, memory)


def _remembered(memory: Path) -> Points:
    if not memory.is_file():
        return {}
    stored = records.read_json(memory)
    return {
        variant: {int(seed): float(point) for seed, point in seeds.items()}
        for variant, seeds in stored.items()
    }
