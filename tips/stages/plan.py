"""Hours of training that a study will take, per table and in all (`tips plan`)."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tips import records
from tips.config import FULL, NOWHERE, ConfigError, Study, load_study
from tips.data.windows import keys
from tips.paths import Paths, study_paths
from tips.records import Annotations
from tips.reporting import memory, plan
from tips.stages._progress import track
from tips.tables.published import load_tables

EXPERIMENTS = Path("experiments")
# Networks whose training steps differ in size. The largest steps are among them: `conv-conv` of all
# with checkpointing, `groups-15` without; the rest lie between `hrnet` and these (`tips cost`).
DISTINCT = (
    *("hrnet", "vitpose", "tips", "tips-without-vfit", "tips-ms", "tips-vit"),
    *("window-9", "points-all", "groups-15", "conv-conv"),
)


def run(
    scale: str = "paper-posetrack18",
    root: str = "",
    seconds_per_step: str = "",
    windows: int = 0,
    seeds: int = 0,
    card_gib: float = 0.0,
    measure: bool = False,
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
        card_gib: memory of the card, for a second plan: the largest batch of each network; takes
            two minutes, and is printed alone where hours are unknown. 0: hours alone.
        measure: times a step of every network here, on random windows; minutes on a card.
        json: file for the numbers.

    Raises:
        ConfigError: a value cannot be used, or, without `card_gib`, a step's time or the number
            of windows is known from nowhere.
        RecordError: a run's record or the annotations are malformed.
    """
    if not 0 <= card_gib < float("inf"):
        raise ConfigError(
            f"--card-gib must be positive, or 0 for no plan of memory; got {card_gib}"
        )
    if measure and seconds_per_step:
        raise ConfigError("--measure and --seconds-per-step exclude each other; give one of them")
    study = load_study(scale, EXPERIMENTS, root or NOWHERE, seeds or None)
    numbers: dict[str, Any] = {"scale": scale}
    try:
        given = plan.parse_times(seconds_per_step)
        numbers |= _hours(scale, study, given, windows, measure=measure)
    except plan.UnknownHoursError as error:
        if not card_gib:
            raise
        print(f"Hours are unknown: {error}")
    if card_gib:
        card, checkpointing = round(card_gib * memory.GIB), study.scale.checkpointing
        held = _footprints(study)
        _print_memory(held, card, checkpointing)
        numbers["memory"] = memory.as_json(held, card, checkpointing=checkpointing)
    if json is not None:
        records.write_json(numbers, json)


def _hours(
    scale: str, study: Study, given: dict[str, float], windows: int, *, measure: bool
) -> dict[str, Any]:
    """Prints the hours of every training and table; returns them as plain data."""
    paths = study_paths(study.scale)
    tables = load_tables(EXPERIMENTS / "tables.yaml", study.scale.dataset.release)
    found = _windows(study, paths, windows) if plan.depends_on_windows(study) else None
    measured = _measured(study) if measure else plan.measured_times(study, paths)
    trainings = plan.trainings(study, found, plan.step_times(study, given, measured))
    needs = plan.tables_needs(study, tables, trainings)
    _print(f"scale {scale}, {paths.dataset}", found, needs)
    return plan.as_json(scale, found, needs)


def _measured(study: Study) -> dict[str, plan.StepTime]:
    from tips.stages._steps import measured_steps  # as below

    times, misfits = measured_steps(study)
    if FULL in misfits:
        raise plan.UnknownHoursError(
            f"{FULL}: its batch does not fit this card; `tips plan --card-gib GIB` tells "
            "which does: make training.batch smaller and training.accumulation larger"
        )
    for name in misfits:
        print(f"{name}: its batch does not fit this card; its step counts as that of {FULL}")
    return times


def _footprints(study: Study) -> list[memory.Footprint]:
    from tips.stages._memory import footprint  # torch is slow to import, and hours need none
    from tips.training.device import make_repeatable

    make_repeatable()  # as in a training: what torch repeats by copies holds more

    names = [name for name in DISTINCT if name in study.variants]
    return [footprint(name, study.variant(name).experiment) for name in track(names, "memory")]


def _print_memory(held: list[memory.Footprint], card: int, checkpointing: bool) -> None:
    table = Table(
        title=f"The largest batch of a card with {card / memory.GIB:g} GiB", caption=memory.BASIS
    )
    for name in ("network", "checkpointing", "precision"):
        table.add_column(name)
    for name in ("MiB / window", "largest batch", f"for {memory.EFFECTIVE}", "configured, GiB"):
        table.add_column(name, justify="right")
    for row in memory.fits(held, card):
        table.add_row(
            *(row.variant, "on" if row.checkpointed else "off", "AMP" if row.amp else "fp32"),
            *(f"{row.window / 2**20:,.0f}", str(row.largest), row.accumulation),
            f"{row.needed / memory.GIB:.1f}",
            end_section=row.checkpointed and row.amp,
        )
    console = Console()
    console.print(table)
    for line in memory.verdicts(held, card, checkpointing=checkpointing):
        console.print(line)


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
