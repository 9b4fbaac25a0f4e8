"""Writes every table, as CSV and as LaTeX, from what `evaluate` wrote of all runs."""

from functools import partial
from pathlib import Path

from tips import records
from tips.chain import Judge
from tips.config import load_study
from tips.config.guests import load_guests
from tips.paths import study_paths
from tips.progress import track
from tips.proofs import read_proofs
from tips.tables.collect import collect
from tips.tables.contents import SHEETS
from tips.tables.guest_rows import shown
from tips.tables.published import load_tables
from tips.tables.remembered import memory_file, remembered
from tips.tables.yours import comparisons


def run(scale: str = "desk", root: str = "", seeds: int = 0) -> None:
    """Writes every table of the report: results/tables/*.csv, figures/figure-4.csv, and .tex twins.

    Tables are made from the metrics and evidence of the runs, the annotations, and the files of
    groups, speed, cost and PSNR. A run that does not exist is `missing`. A run whose training used
    other code or another configuration than the present one is `stale`, and the table says what
    changed. A guest of experiments/guests is a row beside Table M and changes no other cell.

    Seed variances are pooled over runs. results/seed-scores.json remembers the scores that they
    were pooled from, so that a deleted run changes no interval but its own. The file is read only
    if a run is gone, and dropped if any run that exists scores differently now.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        seeds: Sets the number of seeds of every variant; 0 takes the scale's.

    Raises:
        ConfigError: the scale or tables.yaml cannot be used.
        RecordError: annotations or a side file are missing or malformed.
    """
    experiments = Path("experiments")
    study = load_study(scale, experiments, root or None, seeds or None)
    paths = study_paths(study.scale)
    published = load_tables(experiments / "tables.yaml", study.scale.dataset.release)
    progress = partial(track, label="tabulate")
    judge = Judge(study, paths, read_proofs(paths.proofs), contents=False)
    beside = comparisons(published, study, experiments)
    guests = shown(load_guests(scale, study.scale, experiments), paths)
    found = collect(study, paths, published, judge, remembered(paths), progress, beside, guests)
    # All tables are filled before the first is written, so that an error leaves none half new.
    filled = [(sheet, sheet.fill(found)) for sheet in SHEETS if sheet.fill is not None]
    for sheet, rows in filled:
        sheet.write(found, rows)
    records.write_json(found.memory, memory_file(paths))
