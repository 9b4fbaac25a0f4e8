"""Chooses the numbers and settings that MLflow shows of a run, and their names.

MLflow sorts metrics by name, so the few that are compared have short names, and all others stand
below `various/`, which is behind them.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from tips.config import BACKBONE

TOTAL: Final = "total"
GAIN, LOW, HIGH = "gain", "low", "high"  # over the single-frame backbone, with its interval's ends
DEGRADED, CLEAN = "degraded", "clean"  # AP on the frames of that kind
FIRST: Final = (TOTAL, GAIN, LOW, HIGH, DEGRADED, CLEAN)  # in the order of a reader's questions
OTHERS: Final = "various"
# What is shown of metrics.json, by its path there. The details of joints and parts are hundreds of
# numbers, which would hide these; they can be read in the artifact metrics.json.
SHOWN: Final = ("total", "columns", "subsets", "oks.mean")


def metric_name(path: str) -> str:
    """Names the metric of a number of metrics.json.

    Args:
        path: its keys, between slashes, such as `subsets/clean` or `detected/total`.
    """
    short = path.removeprefix("subsets/")
    return short if short in FIRST else f"{OTHERS}/{short}"


def gain_name(baseline: str, end: str) -> str:
    """Names the metric of a gain, or of an end of its interval.

    Args:
        baseline: the variant over which the gain is taken.
        end: which of its numbers: `gain`, `low` or `high`.
    """
    return end if baseline == BACKBONE else f"{OTHERS}/over {baseline}/{end}"


def ordered(metrics: Mapping[str, float]) -> list[tuple[str, float]]:
    """Puts metrics into the order in which MLflow's page of a run lists them: as written."""
    first = [(name, metrics[name]) for name in FIRST if name in metrics]
    return first + sorted((name, value) for name, value in metrics.items() if name not in FIRST)


def measured(metrics: Mapping[str, Any], boxes: str = "") -> dict[str, float]:
    """Gives the metrics of a file metrics.json.

    Args:
        metrics: the content of the file.
        boxes: the source of the boxes that they were measured on; "" for the study's own.
    """
    found = {}
    for path, value in _leaves(metrics):
        if any(path == one or path.startswith(f"{one}.") for one in SHOWN) and _is_number(value):
            name = metric_name("/".join(filter(None, (boxes, *path.split(".")))))
            found[name] = float(value)
    return found


def flatten(value: Mapping[str, Any]) -> dict[str, str]:
    """Turns nested mappings into one with dotted names. Text stays; other values become JSON."""
    return {
        path: part if isinstance(part, str) else json.dumps(part, sort_keys=True)
        for path, part in _leaves(value)
    }


def varied(settings: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Lists the settings in which some trainings differ; all others tell nothing in a comparison.

    Such a setting has several values, or one training lacks it although another one, whose part
    of the network is of the same kind, has it: a loss without weight, for instance. Settings of a
    part that a training lacks altogether do not count for that.

    Args:
        settings: what each training reads, nested.

    Returns:
        Dotted names.
    """
    values: dict[str, set[str]] = defaultdict(set)
    alike: dict[tuple[str, str], list[frozenset[str]]] = defaultdict(list)
    for one in settings:
        for name, value in flatten(one).items():
            values[name].add(value)
        for prefix, part in _parts(one):
            own = frozenset(f"{prefix}{key}" for key in part)
            alike[prefix, str(part.get("kind", part.get("model", "")))].append(own)
    found = {name for name, seen in values.items() if len(seen) > 1}
    for groups in alike.values():
        found |= frozenset().union(*groups) - frozenset.intersection(*groups)
    return frozenset(found & values.keys())


def _parts(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Lists a mapping and all mappings in it, each with the start of its keys' dotted names."""
    yield prefix, value
    for key, part in value.items():
        if isinstance(part, Mapping) and part:
            yield from _parts(part, f"{prefix}{key}.")


def _leaves(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Lists the values of nested mappings with their dotted names."""
    for prefix, part in _parts(value):
        for key, one in part.items():
            if not isinstance(one, Mapping) or not one:
                yield f"{prefix}{key}", one


def _is_number(value: Any) -> bool:
    """Tells whether a value is a number, of any size that is a finite float."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and abs(value) <= sys.float_info.max
