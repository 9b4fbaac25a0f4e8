"""Lays a study's trainings on cards: what runs when, and the longest chain; counts the jobs."""

import heapq
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from tips.config import ConfigError, Study
from tips.planning.hours import Training

MOST_CARDS: Final = 100_000
LINE: Final = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)


class Task(NamedTuple):
    """One training of one seed."""

    name: str  # variant/seed-N
    hours: float  # on the cards that it takes
    after: str | None  # the training of its backbone


class Laid(NamedTuple):
    """A training, and when it runs, in hours from the start."""

    task: Task
    begins: float
    ends: float


class Schedule(NamedTuple):
    """The trainings of a study on some cards."""

    cards: int
    ranks: int  # cards that share one training
    laid: tuple[Laid, ...]
    critical: tuple[Task, ...]  # the longest chain, which no number of cards shortens

    @property
    def wall(self) -> float:
        """Hours until the last training ends."""
        return max((one.ends for one in self.laid), default=0.0)

    @property
    def busy(self) -> float:
        """Share of the cards' time in which they train."""
        held = sum(one.task.hours for one in self.laid) * self.ranks
        return held / (self.wall * self.cards) if self.wall else 0.0


def tasks(study: Study, trainings: Mapping[str, Training]) -> list[Task]:
    """Lists the trainings of all seeds, each with the one that it waits for.

    Args:
        study: the scale with its variants, and the number of cards that share a training. They are
            taken to share it evenly, without loss.
        trainings: the trainings by variant.
    """
    found = []
    for name, training in trainings.items():
        first = study.variant(name).experiment.first_stage
        for seed in range(training.seeds):
            before = None if first else f"{study.stage_one(name)}/seed-{study.backbone_seed(seed)}"
            one = training.hours / training.seeds / study.scale.ranks
            found.append(Task(f"{name}/seed-{seed}", one, before))
    return found


def schedule(found: Sequence[Task], cards: int, ranks: int) -> Schedule:
    """Starts what is ready on every free card; of several, what the longest chain begins with.

    Raises:
        ConfigError: there are fewer cards than one training takes.
    """
    if not ranks <= cards <= MOST_CARDS:
        raise ConfigError(
            f"--cards must be at least {ranks}, which share one training of this scale, and at "
            f"most {MOST_CARDS}; got {cards}"
        )
    chains = _chains(found)
    free = [0.0] * (cards // ranks)  # when each place is free
    waiting: dict[str | None, list[Task]] = {}
    for task in found:
        waiting.setdefault(task.after, []).append(task)
    ready = [(0.0, -_hours(chains[one.name]), one) for one in waiting.pop(None, [])]
    heapq.heapify(ready)
    laid = []
    while ready:
        place = heapq.heappop(free)
        now = max(place, ready[0][0])
        able = [item for item in ready if item[0] <= now]
        item = min(able, key=lambda one: (one[1], one[2].name))
        ready.remove(item)
        heapq.heapify(ready)
        laid.append(Laid(item[2], now, now + item[2].hours))
        heapq.heappush(free, laid[-1].ends)
        for one in waiting.pop(item[2].name, []):
            heapq.heappush(ready, (laid[-1].ends, -_hours(chains[one.name]), one))
    longest = max(chains.values(), key=_hours, default=())
    return Schedule(cards, ranks, tuple(laid), longest)


def _chains(found: Sequence[Task]) -> dict[str, tuple[Task, ...]]:
    """Gives the longest chain that begins with each training."""
    next_of: dict[str | None, list[Task]] = {}
    for task in found:
        next_of.setdefault(task.after, []).append(task)

    def chain(task: Task) -> tuple[Task, ...]:
        rest = max(map(chain, next_of.get(task.name, ())), key=_hours, default=())
        return (task, *rest)

    return {task.name: chain(task) for task in found}


def _hours(chain: Iterable[Task]) -> float:
    return sum(task.hours for task in chain)


def as_json(made: Schedule, jobs: Mapping[str, int]) -> dict[str, Any]:
    """Gives a schedule, and the workflow's jobs by rule, as plain data."""
    return {
        "cards": made.cards,
        "ranks": made.ranks,
        "wall_hours": round(made.wall, 3),
        "busy": round(made.busy, 4),
        "critical_hours": round(_hours(made.critical), 3),
        "critical": [task.name for task in made.critical],
        "trainings": [
            {"run": one.task.name, "begins": round(one.begins, 3), "ends": round(one.ends, 3)}
            for one in made.laid
        ],
        "jobs": dict(jobs),
    }


def jobs_left(scale: str, root: str, seeds: int) -> dict[str, int]:
    """Counts the jobs that are left to do, by rule, as `snakemake -n` does.

    Raises:
        ConfigError: Snakemake refuses the study; the message is its own.
    """
    config = [f"scale={scale}", *([f"root={root}"] if root else [])]
    config += [f"seeds={seeds}"] if seeds else []
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--config", *config]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
        raise ConfigError(said[-1].removeprefix("error: ") if said else "snakemake -n failed")
    counts = {rule: int(count) for rule, count in LINE.findall(done.stdout + done.stderr)}
    counts.pop("total", None)
    return counts
