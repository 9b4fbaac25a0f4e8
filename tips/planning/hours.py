"""Computes what a study will cost: every training once, and which tables need it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from tips.config import BACKBONE, FULL, ConfigError, Experiment, Study
from tips.data.order import Draws, steps_per_epoch
from tips.data.releases import RELEASES, Published
from tips.freshness import training_digest
from tips.instances import labelled_keys
from tips.paths import Paths
from tips.records import Annotations, read
from tips.tables import sources
from tips.tables.published import Tables
from tips.tables.yours import your_variants

HOUR = 3600.0
LONGEST_STEP = 1e6  # s that a step can be said to take


class UnknownHoursError(ConfigError):
    """Hours cannot be computed, because something is unknown; the message says how to give it."""


class Windows(NamedTuple):
    """The number of windows of the train split, and where it is known from."""

    number: int
    source: str


class StepTime(NamedTuple):
    """The seconds of one training step, and where they are known from."""

    seconds: float
    source: str


class Training(NamedTuple):
    """The trainings of one variant with all its seeds."""

    variant: str
    seeds: int
    steps: int  # of the training of one seed
    step: StepTime

    @property
    def hours(self) -> float:
        """The hours of all seeds."""
        return self.seeds * self.steps * self.step.seconds / HOUR


class Needs(NamedTuple):
    """The trainings that one table needs, each listed once."""

    name: str
    title: str
    trainings: tuple[Training, ...]

    @property
    def runs(self) -> int:
        """The number of trainings, counting every seed."""
        return sum(training.seeds for training in self.trainings)

    @property
    def hours(self) -> float:
        """The hours of all trainings."""
        return sum(training.hours for training in self.trainings)


class _Finished(sources.Source):
    """The part of provenance.json that tells how long a training took."""

    config_digest: str
    device: str
    steps: int
    seconds: float
    ranks: int = 1


def tables_needs(
    study: Study, tables: Tables, trainings: Mapping[str, Training]
) -> tuple[Needs, ...]:
    """Lists the trainings that each table needs.

    Every second stage also needs the training of its backbone, which is stage one.

    Args:
        study: the scale with its variants.
        tables: the published tables.
        trainings: every training, by variant.

    Returns:
        The tables in order, then the paper's tables together, then everything.
    """
    rows = []
    for table in (*tables.tables, your_variants(tables, study)):
        names = [row.variant for row in table.rows if row.variant and row.variant in trainings]
        if names:
            needed = dict.fromkeys([*map(study.stage_one, names), *names])
            some = tuple(trainings[name] for name in needed)
            rows.append(Needs(table.roman or table.name, table.title, some))
    paper = {table.roman for table in tables.paper}
    once = {t.variant: t for row in rows if row.name in paper for t in row.trainings}
    return (
        *rows,
        Needs("paper", "The paper's tables together, each training once", tuple(once.values())),
        Needs("all", "Every variant, each training once", tuple(trainings.values())),
    )


def depends_on_windows(study: Study) -> bool:
    """Tells whether a training sees every window once an epoch, so that their number matters."""
    settings = [variant.experiment.training for variant in study.variants.values()]
    return any(one.windows_per_epoch is None for one in settings)


def trainings(
    study: Study, windows: Windows | None, step_time: Callable[[str], StepTime]
) -> dict[str, Training]:
    """Lists every training of a study by variant.

    Args:
        study: the scale with its variants.
        windows: the number of windows of the train split; None if nothing depends on it.
        step_time: gives the time of a variant's step.
    """
    seeds = {name: variant.seeds for name, variant in study.variants.items()}
    if BACKBONE in seeds:  # the seeds of a second stage may use backbones of several seeds
        seeds[BACKBONE] = 1 + max(study.backbone_seed(count - 1) for count in seeds.values())
    return {
        name: Training(
            name, seeds[name], steps(variant.experiment, study, windows), step_time(name)
        )
        for name, variant in study.variants.items()
        if variant.experiment.learns
    }


def steps(experiment: Experiment, study: Study, windows: Windows | None) -> int:
    """Counts the steps of one training, as the training itself does.

    Args:
        experiment: the configuration of the training.
        study: the scale, which tells the number of stills.
        windows: the number of windows of the train split; None if the training does not use it.
    """
    settings, embedded = experiment.training, study.scale.dataset.embedded
    number = settings.windows_per_epoch
    if number is None:
        assert windows is not None
        number = windows.number
    pools = [Draws(number, None)]
    if embedded is not None and embedded.stills:
        pools.append(Draws(embedded.stills, settings.stills_per_epoch))
    return settings.epochs * steps_per_epoch(pools, settings.batch)


def windows(study: Study, paths: Paths, given: int = 0) -> Windows:
    """Counts the windows of the train split, as it was prepared, or as publications have it.

    Args:
        study: the study.
        paths: its folders.
        given: their number, if the user knows it; 0 if not.

    Raises:
        ConfigError: nothing tells the number, or a negative one is given.
    """
    if given < 0:
        raise ConfigError(f"--windows must be positive; got {given}")
    if given:
        return Windows(given, "given")
    file = paths.annotations("train")
    if file.is_file():
        return Windows(len(labelled_keys(read(Annotations, file))), f"counted, {file}")
    return published_windows(study)


def published_windows(study: Study) -> Windows:
    """Estimates the windows of the train split from what is published of the dataset.

    Raises:
        UnknownHoursError: the dataset is not a published one, or no number of people is published.
    """
    scale = study.scale
    release = RELEASES[scale.dataset.release] if scale.dataset.release else None
    claims = {} if release is None else {(c.split, c.what): c for c in release.published}
    people = claims.get(("all", "people")) or claims.get(("all", "labelled_frames"))
    if people is None:
        title = "this dataset" if release is None else release.title
        raise UnknownHoursError(
            f"scale {scale.name}: the number of training windows is unknown: {title} is not "
            "prepared here and no count of its people is published; prepare it (snakemake "
            "--config scale=... root=..., rule prepare), or give --windows N"
        )
    return _of_train(people, claims.get(("train", "sequences")), claims.get(("val", "sequences")))


def _of_train(people: Published, train: Published | None, val: Published | None) -> Windows:
    said = f"{people.expected:,} {people.what.replace('_', ' ')} of all splits ({people.source})"
    if train is None or val is None:
        return Windows(people.expected, f"{said}: more than the train split has")
    known = train.expected + val.expected
    return Windows(
        people.expected * train.expected // known,
        f"{said} x {train.expected} of {known} videos: an estimate",
    )


def parse_times(text: str) -> dict[str, float]:
    """Reads texts such as `1.2` (the step of every training) or `hrnet=0.4,1.2`.

    Returns:
        Seconds by variant; the key of those for every other variant is "".

    Raises:
        ConfigError: a part is not a positive number, or a variant is named twice.
    """
    found: dict[str, float] = {}
    for part in map(str.strip, text.split(",") if text.strip() else ()):
        name, named, number = part.rpartition("=")
        try:
            seconds = float(number)
        except ValueError:
            seconds = 0.0
        if name in found:
            raise ConfigError(
                f"--seconds-per-step: '{text}' gives two numbers for {name or 'all variants'}; "
                "give one, with a point for its decimals, as 1.2"
            )
        found[name] = seconds
        if not 0 < seconds <= LONGEST_STEP or bool(name.strip()) != bool(named):
            raise ConfigError(
                f"--seconds-per-step: '{part}' must be a positive number, or VARIANT=number; "
                "several are separated by commas"
            )
    return found


def measured_times(study: Study, paths: Paths) -> dict[str, StepTime]:
    """Reads seconds per step from finished runs, if their configuration is the present one.

    They are those of one card: where several have shared a training, all of their time counts.
    """
    found: dict[str, StepTime] = {}
    for name, variant in study.variants.items():
        config = training_digest(variant.experiment, study.scale)
        for seed in reversed(range(variant.seeds)):
            file = paths.run(name, str(seed)) / "provenance.json"
            run = sources.read_if_present(_Finished, file)
            if run is not None and run.steps and run.config_digest == config:
                source = f"{name} seed {seed}, {run.device}"
                found[name] = StepTime(run.ranks * run.seconds / run.steps, source)
    return found


def taken(study: Study, paths: Paths) -> dict[str, tuple[int, float]]:
    """Tells what finished trainings took: by variant their number, and their hours together.

    A training that several starts made counts with all of them, and one on several cards with the
    hours of each.
    """
    found: dict[str, tuple[int, float]] = {}
    for name, variant in study.variants.items():
        for seed in range(variant.seeds):
            run = sources.read_if_present(_Finished, paths.run(name, str(seed)) / "provenance.json")
            if run is not None:
                count, hours = found.get(name, (0, 0.0))
                found[name] = count + 1, hours + run.ranks * run.seconds / HOUR
    return found


def step_times(
    study: Study, given: Mapping[str, float], measured: Mapping[str, StepTime]
) -> Callable[[str], StepTime]:
    """Finds how long a step of each variant takes.

    Given times come first, then measured ones, then those of the full model.

    Args:
        study: the scale with its variants.
        given: seconds of a step by variant, as `parse_times` reads them.
        measured: seconds of a step by variant, from finished runs or measured now.

    Returns:
        A function that gives the time of a variant's step. It raises UnknownHoursError if
        nothing is known of it.

    Raises:
        ConfigError: an unknown variant is given.
    """
    for name in filter(None, given):
        study.variant(name)

    def find(name: str) -> StepTime:
        for key in (name, ""):
            if key in given:
                return StepTime(given[key], "given")
        for key in (name, FULL):
            if key in measured:
                return measured[key]
            if key in given:
                return StepTime(given[key], f"given for {key}")
        scale = study.scale.name
        raise UnknownHoursError(
            f"scale {scale}: nothing says how long a training step takes: give --seconds-per-step "
            f"X (or hrnet=X,tips=Y), or finish a run of {FULL} at this scale, whose "
            "provenance.json has seconds and steps"
        )

    return find


def as_json(scale: str, windows: Windows | None, needs: Sequence[Needs]) -> dict[str, Any]:
    """Gives the plan as plain data. Hours are those of one device that trains one model at a time.

    Args:
        scale: the name of the scale.
        windows: the number of windows of the train split, if it is used.
        needs: what `tables_needs` found.
    """
    everything = needs[-1].trainings
    return {
        "scale": scale,
        "windows": windows._asdict() if windows else None,
        "trainings": [
            {
                "variant": t.variant,
                "seeds": t.seeds,
                "steps": t.steps,
                "seconds_per_step": t.step.seconds,
                "source": t.step.source,
                "hours": round(t.hours, 3),
            }
            for t in everything
        ],
        "tables": [
            {
                "table": row.name,
                "title": row.title,
                "variants": [t.variant for t in row.trainings],
                "runs": row.runs,
                "hours": round(row.hours, 3),
            }
            for row in needs
        ],
    }
