"""Writes results/tables/table-peers.csv from the predictions of the peers and of our rows."""

from pathlib import Path

from tips.chain import Judge
from tips.config import load_study
from tips.paths import study_paths
from tips.proofs import read_proofs
from tips.tables import controls, peers
from tips.tables.published import load_tables


def run(scale: str = "desk", root: str = "", seeds: int = 0) -> None:
    """Writes table-peers.csv and its LaTeX twin; a row without predictions is `missing`.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        seeds: Sets the number of seeds of every variant; 0 takes the scale's.

    Raises:
        RecordError: annotations or predictions are missing or malformed.
    """
    experiments = Path("experiments")
    study = load_study(scale, experiments, root or None, seeds or None)
    paths = study_paths(study.scale)
    published = load_tables(experiments / "tables.yaml", study.scale.dataset.release)
    judge = Judge(study, paths, read_proofs(paths.proofs), contents=False)
    rows = peers.fill(study, paths, published.table(controls.NAME), judge)
    peers.PEER_ROWS.save(paths, rows)
