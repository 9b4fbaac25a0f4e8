"""Tells the hours of training that a study will take, per table and in all (`tips plan`)."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from tips import records
from tips.config import FULL, NOWHERE, ConfigError, Study, load_study
from tips.paths import study_paths
from tips.planning import card_memory, hours, timetable
from tips.planning.resources import load_resources, retries
from tips.progress import track
from tips.tables.published import load_tables

EXPERIMENTS = Path("experiments")
RESOURCES: Final = Path("workflow/resources.yaml")
SLURM: Final = Path("workflow/profiles/slurm/config.yaml")
LARGEST_CARD = 1_000_000  # GiB
# Networks whose training steps differ in size. `conv-conv` has the largest step of all variants
# with activation checkpointing, `groups-15` without it. The steps of the variants that are not
# listed lie between that of `hrnet` and these (see `tips cost`).
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
    cards: int = 0,
    json: Path | None = None,
) -> None:
    """Prints how long the trainings of a scale take, on one device, one after the other.

    Only trainings count, because rendering, prediction and evaluation are short beside them. A
    training that several tables need is listed with each of them, and counted once in the sums.

    Args:
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        seconds_per_step: Gives measured seconds of a step, as 1.2 or hrnet=0.4,1.2; without it,
            those of finished runs of this scale are taken.
        windows: Gives the number of windows of the train split, if neither the dataset nor a
            publication tells it.
        seeds: Sets the number of seeds of every variant; 0 takes the scale's.
        card_gib: Also tells the largest batch of each network on a card with this memory, in GiB,
            which takes two minutes. If hours are unknown, only this is told. 0 tells hours alone.
        measure: Times a step of every network on this machine, with random windows, which takes
            minutes on a card.
        cards: Also lays the trainings on so many cards, and counts the workflow's jobs; 0 does
            not.
        json: Writes all results to this file.

    Raises:
        ConfigError: a value cannot be used. Also if the time of a step or the number of windows
            is unknown and `card_gib` is 0.
        RecordError: a run's record or the annotations are malformed.
    """
    _judge(card_gib, measure, seconds_per_step)
    study = load_study(scale, EXPERIMENTS, root or NOWHERE, seeds or None)
    numbers: dict[str, Any] = {"scale": scale}
    try:
        given = hours.parse_times(seconds_per_step)
        found, trainings = _hours(scale, study, given, windows, measure=measure)
        numbers |= found
        if cards:
            jobs = timetable.jobs_left(scale, root, seeds)
            numbers["schedule"] = _timetable(study, trainings, cards, jobs)
    except hours.UnknownHoursError as error:
        if not card_gib:
            raise
        print(f"Hours are unknown: {error}")
    if card_gib:
        card, checkpointing = round(card_gib * card_memory.GIB), study.scale.checkpointing
        held = _footprints(study)
        _print_memory(held, card, checkpointing)
        numbers["memory"] = card_memory.as_json(held, card, checkpointing=checkpointing)
    if json is not None:
        records.write_json(numbers, json)


def _judge(card_gib: float, measure: bool, seconds_per_step: str) -> None:
    """Refuses options that mean nothing."""
    if not 0 <= card_gib <= LARGEST_CARD:
        raise ConfigError(
            f"--card-gib must be positive and at most {LARGEST_CARD}, or 0 for no plan of memory; "
            f"got {card_gib}"
        )
    if measure and seconds_per_step:
        raise ConfigError("--measure and --seconds-per-step exclude each other; give one of them")


def _hours(
    scale: str, study: Study, given: dict[str, float], windows: int, *, measure: bool
) -> tuple[dict[str, Any], dict[str, hours.Training]]:
    """Prints the hours of every training and table; returns them as plain data, and trainings."""
    paths = study_paths(study.scale)
    tables = load_tables(EXPERIMENTS / "tables.yaml", study.scale.dataset.release)
    known = hours.windows(study, paths, windows) if hours.depends_on_windows(study) else None
    measured = _measured(study) if measure else hours.measured_times(study, paths)
    trainings = hours.trainings(study, known, hours.step_times(study, given, measured))
    needs = hours.tables_needs(study, tables, trainings)
    _print(f"scale {scale}, {paths.dataset}", known, needs, hours.taken(study, paths))
    return hours.as_json(scale, known, needs), trainings


def _measured(study: Study) -> dict[str, hours.StepTime]:
    from tips.planning.step_times import measured_steps  # imports torch, as in _footprints

    times, misfits = measured_steps(study)
    if FULL in misfits:
        raise hours.UnknownHoursError(
            f"{FULL}: its batch does not fit this card; `tips plan --card-gib GIB` tells "
            "which does: make training.batch smaller and training.accumulation larger"
        )
    for name in misfits:
        print(f"{name}: its batch does not fit this card; its step counts as that of {FULL}")
    return times


def _footprints(study: Study) -> list[card_memory.Footprint]:
    from tips.device import make_repeatable  # torch is slow to import, and hours need none
    from tips.planning.footprint import footprint

    make_repeatable()  # as in a training, where sums that repeat exactly hold more memory

    names = [name for name in DISTINCT if name in study.variants]
    return [footprint(name, study.variant(name).experiment) for name in track(names, "memory")]


def _print_memory(held: list[card_memory.Footprint], card: int, checkpointing: bool) -> None:
    table = Table(
        title=f"The largest batch of a card with {card / card_memory.GIB:g} GiB",
        caption=card_memory.BASIS,
    )
    for name in ("network", "checkpointing", "precision"):
        table.add_column(name)
    for name in (
        "MiB / window",
        "largest batch",
        f"for {card_memory.EFFECTIVE}",
        "configured, GiB",
    ):
        table.add_column(name, justify="right")
    for row in card_memory.fits(held, card):
        table.add_row(
            *(row.variant, "on" if row.checkpointed else "off", "AMP" if row.amp else "fp32"),
            *(f"{row.window / 2**20:,.0f}", str(row.largest), row.accumulation),
            f"{row.needed / card_memory.GIB:.1f}",
            end_section=row.checkpointed and row.amp,
        )
    console = Console()
    console.print(table)
    for line in card_memory.verdicts(held, card, checkpointing=checkpointing):
        console.print(line)


def _timetable(
    study: Study, trainings: Mapping[str, hours.Training], cards: int, jobs: Mapping[str, int]
) -> dict[str, Any]:
    """Prints how long the trainings take on some cards, and how many jobs there are."""
    ranks = study.scale.ranks
    laid = timetable.schedule(timetable.tasks(study, trainings), cards, ranks)
    longest = load_resources(RESOURCES).longest / 60
    chain = ", then ".join(f"{one.name} ({one.hours:.1f} h)" for one in laid.critical)
    print(
        f"On {laid.cards} cards, {laid.ranks} for each training, the trainings end after "
        f"{laid.wall:.1f} hours; the cards are busy for {laid.busy:.0%} of them. The longest chain "
        f"takes {sum(one.hours for one in laid.critical):.1f} hours: {chain}."
    )
    over = [one.task for one in laid.laid if one.task.hours > longest]
    if over:
        print(
            f"{len(over)} trainings take more than the {longest:g} hours that {RESOURCES} says a "
            "queue grants; they go on in further jobs."
        )
        most = max(over, key=lambda task: task.hours)
        needed, granted = math.ceil(most.hours / longest), 1 + retries(SLURM)
        if needed > granted:
            print(
                f"{most.name} needs {needed} jobs, and `retries` of {SLURM} grants {granted}: "
                "raise that, or run the same command again when it has ended."
            )
    rules = ", ".join(f"{count} {rule}" for rule, count in jobs.items() if rule != "all")
    print(f"The workflow has {sum(jobs.values())} jobs left: {rules or 'none'}.")
    return timetable.as_json(laid, jobs)


def _print(
    what: str,
    windows: hours.Windows | None,
    needs: tuple[hours.Needs, ...],
    taken: Mapping[str, tuple[int, float]],
) -> None:
    by_training = Table(title=f"Trainings, {what}")
    by_training.add_column("training", overflow="fold")
    for name in ("seeds", "steps", "s / step", "hours", "took"):
        by_training.add_column(name, justify="right")
    by_training.add_column("time of a step")
    for training in needs[-1].trainings:
        count, held = taken.get(training.variant, (0, 0.0))
        whole = "" if count == training.seeds else f" ({count} of {training.seeds})"
        by_training.add_row(
            *(training.variant, str(training.seeds), f"{training.steps:,}"),
            *(f"{training.step.seconds:.3g}", f"{training.hours:.1f}"),
            *(f"{held:.1f}{whole}" if count else "-", training.step.source),
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
