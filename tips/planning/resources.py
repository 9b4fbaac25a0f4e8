"""What each job needs of a cluster: cores, memory, time; the table is workflow/resources.yaml."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from tips.config import ConfigError, Study
from tips.config.judged import validated
from tips.config.layers import read_yaml
from tips.config.parts import Part
from tips.paths import Paths
from tips.planning import hours
from tips.records import RecordError

RUNTIMES_MORE: Final = 1.5  # a training is given this much more time than its steps took before
START: Final = 15  # minutes to start, and to write the outputs
OTHERWISE: Final = "otherwise"  # the entry for rules that are not listed

Count = Annotated[int, Field(ge=1, le=10**7)]


class Need(Part):
    """What a job needs; null: as `otherwise` says."""

    cores: Count | None = None
    mem_mb: Count | None = None
    runtime: Count | None = None  # minutes


class Needed(Part):
    """What a job needs."""

    cores: Count
    mem_mb: Count
    runtime: Count  # minutes


class Resources(Part):
    """The table of workflow/resources.yaml."""

    longest: Count  # minutes that a queue grants at most
    otherwise: Needed
    rules: dict[str, Need]
    with_card: dict[str, Need]

    def of(self, rule: str, *, card: bool) -> Needed:
        """Gives what a rule's jobs need: each number from the first entry that has it.

        Args:
            rule: its name; a rule for detected boxes needs what the one for given boxes does.
            card: whether the scale computes on a card.
        """
        name = rule.removesuffix("_detected")
        full = [self.with_card.get(name), self.with_card.get(OTHERWISE)] if card else []
        entries = [*full, self.rules.get(name), self.otherwise]
        found = [one.model_dump(exclude_none=True) for one in reversed(entries) if one is not None]
        need = Needed.model_validate({key: value for one in found for key, value in one.items()})
        return need.model_copy(update={"runtime": min(need.runtime, self.longest)})


def load_resources(file: Path) -> Resources:
    """Reads the table. Raises ConfigError, which names key and rule."""
    return validated(Resources, read_yaml(file), file)


def retries(profile: Path) -> int:
    """Tells how often a profile's jobs are started again. Raises ConfigError if it is no count."""
    count = read_yaml(profile).get("retries", 0)
    if not isinstance(count, int) or count < 0:
        raise ConfigError(f"{profile}: retries must be 0 or more; got {count!r}")
    return count


def training_minutes(study: Study, paths: Paths, longest: int) -> Callable[[str], int]:
    """Tells how many minutes to ask for a training of a variant.

    It is the time of its steps, as a finished run of this scale took them, and half as much more.
    What is longer than a queue grants goes on in the next job, so the most is that. So is it if no
    run tells how long a step takes.

    Args:
        study: the study.
        paths: its folders.
        longest: minutes that the queue grants at most.
    """

    def minutes(variant: str) -> int:
        try:
            step = hours.step_times(study, {}, hours.measured_times(study, paths))(variant)
            windows = hours.windows(study, paths) if hours.depends_on_windows(study) else None
        except (ConfigError, RecordError):  # a record that is none of ours says nothing
            return longest
        count = hours.steps(study.variant(variant).experiment, study, windows)
        taken = count * step.seconds / study.scale.ranks / 60
        return min(longest, START + math.ceil(RUNTIMES_MORE * taken))

    return minutes
