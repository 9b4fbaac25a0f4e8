"""Writes the report from tables and run folders: report.md, index.html, checklist, numbers."""

from pathlib import Path

from tips import records
from tips.config import load_study
from tips.paths import study_paths
from tips.records import atomic
from tips.reporting import checklist, page, report
from tips.reporting.reference import write_reference
from tips.tables.numbers import numbers
from tips.tables.published import load_tables
from tips.tracking.views import report_section


def run(scale: str = "desk", root: str = "", seeds: int = 0, reference: Path | None = None) -> None:
    """Writes report.md, the same rendered as index.html, its numbers, and the checklist.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        seeds: Sets the number of seeds of every variant; 0 takes the scale's.
        reference: Also writes a small copy into this folder: Markdown, numbers and small pictures,
            under 500 kB, naming commit and machine. Empty writes none.

    Raises:
        RecordError: a table is missing (run tabulate first), or a side file is malformed.
    """
    experiments = Path("experiments")
    study = load_study(scale, experiments, root or None, seeds or None)
    paths = study_paths(study.scale)
    tables = load_tables(experiments / "tables.yaml", study.scale.dataset.release)
    opened = report.open_page(study, paths, tables)
    sections = report.build(opened)
    records.write_json(numbers(opened), paths.numbers)
    with atomic(paths.checklist) as stream:
        stream.write(page.source(checklist.title(opened), checklist.sections(opened)))
    live = [*sections, report_section(study.scale.name)]  # which a committed copy does not have
    text = page.source(report.title(study, paths), live)
    with atomic(paths.reports / "report.md") as stream:
        stream.write(text)
    with atomic(paths.reports / "index.html") as stream:
        stream.write(page.render(text, paths.reports))
    if reference is not None:
        write_reference(study, paths, sections, reference)
