"""Hours of training that a study will take, per table and in all (`tips plan`)."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from tips import records
from tips.config import ConfigError, Study, load_study
from tips.data.windows import keys
from tips.paths import Paths, study_paths
from tips.records import Annotations
from tips.reporting import plan
from tips.reporting.published import load_tables

EXPERIMENTS = Path("experiments")
NOWHERE = "dataset"  # a root for scales that leave it open: nothing is read there


def run(
    scale: str = "paper-posetrack18",
    root: str = "",
    seconds_per_step: str = "",
    windows: int = 0,
    seeds: int = 0,
    json: Path | None = None,
) -> None:
    """Prints how long the trainings of a scale take, on one device, one after the other.

    Only trainings count: rendering, prediction and evaluation are small beside them. A training
    that several tables need is in each of their rows and once in the sums.

    Args:
        scale: name of a file of experiments/scales.
        root: dataset folder, where the scale leaves it open.
        seconds_per_step: measured seconds, `1.2`, or by variant, `hrnet=0.4,1.2`; without, those
            of finished runs of this scale.
        windows: of the train split, where neither the dataset nor a publication says it.
        seeds: of every variant, 0: as the scale says.
        json: file for the numbers.

    Raises:
        ConfigError: a step's time or the number of windows is known from nowhere.
        RecordError: a run's record or the annotations are malformed.
    """
    study = load_study(scale, EXPERIMENTS, root or NOWHERE, seeds or None)
    paths = study_paths(study.scale)
    tables = load_tables(EXPERIMENTS / "tables.yaml", study.scale.dataset.release)
    given = plan.parse_times(seconds_per_step)
    found = _windows(study, paths, windows) if plan.depends_on_windows(study) else None
    measured = plan.measured_times(study, paths)
    trainings = plan.trainings(study, found, plan.step_times(study, given, measured))
    needs = plan.tables_needs(study, tables, trainings)
    if json is not None:
        records.write_json(plan.as_json(scale, found, needs), json)
    _print(f"scale {scale}, {paths.dataset}", found, needs)


def _windows(study: Study, paths: Paths, given: int) -> plan.Windows:
    if given < 0:
        raise ConfigError(f"--windows must be positive; got {given}")
    if given:
        return plan.Windows(given, "given")
    file = paths.annotations("train")
    if file.is_file():
        return plan.Windows(len(keys(records.read(Annotations, file))), f"counted, {file}")
    return plan.published_windows(study)


def _print(what: str, windows: plan.Windows | None, needs: tuple[plan.Needs, ...]) -> None:
    by_training = Table(title=f"Trainings, {what}")
    by_training.add_column("training", overflow="fold")
    for name in ("seeds", "steps", "s / step", "hours"):
        by_training.add_column(name, justify="right")
    by_training.add_column("time of a step")
    for training in needs[-1].trainings:
        by_training.add_row(
            *(training.variant, str(training.seeds), f"{training.steps:,}"),
            *(f"{training.step.seconds:.3g}", f"{training.hours:.1f}", training.step.source),
        )
    said = f"{windows.number:,} windows an epoch: {windows.source}. " if windows else ""
    caption = f"{said}Hours of one device; trainings only."
    by_table = Table("table", "", title=f"Hours per table, {what}", caption=caption)
    for name in ("trainings", "hours"):
        by_table.add_column(name, justify="right")
    for number, row in enumerate(needs):
        by_table.add_row(
            *(row.name, row.title, str(row.runs), f"{row.hours:.1f}"),
            end_section=number == len(needs) - 3,
        )
    console = Console()
    console.print(by_training)
    console.print(by_table)
