"""Tables and run folders -> reports/report.md, index.html and figures."""

from pathlib import Path

from tips.config import load_study
from tips.paths import study_paths
from tips.records import atomic
from tips.reporting import page, report
from tips.reporting.reference import write_reference
from tips.tables.published import load_tables


def run(scale: str = "desk", root: str = "", seeds: int = 0, reference: str = "") -> None:
    """Writes the report; report.md is the source and index.html its rendering.

    Args:
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        seeds: seeds of every variant, 0: as the scale says.
        reference: a folder that also gets a small copy (Markdown and small pictures, under
            500 kB, naming commit and machine); empty: none.

    Raises:
        RecordError: a table is missing (run tabulate first), or a side file is malformed.
    """
    experiments = Path("experiments")
    study = load_study(scale, experiments, root or None, seeds or None)
    paths = study_paths(study.scale)
    tables = load_tables(experiments / "tables.yaml", study.scale.dataset.release)
    sections = report.build(study, paths, tables)
    text = page.source(report.title(study, paths), sections)
    with atomic(paths.reports / "report.md") as stream:
        stream.write(text)
    with atomic(paths.reports / "index.html") as stream:
        stream.write(page.render(text, paths.reports))
    if reference:
        write_reference(study, paths, sections, Path(reference))
