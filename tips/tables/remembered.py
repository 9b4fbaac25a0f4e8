"""The scores that seed variances were pooled from, so that a deleted run changes no other row."""

import logging
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from tips import records
from tips.evaluation.metrics import Percent
from tips.paths import Paths
from tips.records import RecordError
from tips.tables.results import Memory

log = logging.getLogger(__name__)
NAME: Final = "seed-scores.json"  # not read while all runs exist
_MEMORY: TypeAdapter[dict[str, dict[str, dict[int, Percent]]]] = TypeAdapter(
    dict[str, dict[str, dict[int, Percent]]]
)


def memory_file(paths: Paths) -> Path:
    """Names the file, below the study's results."""
    return paths.results / NAME


def remembered(paths: Paths) -> Memory:
    """Reads the scores; gives none if there is no file, or one that holds no scores."""
    file = memory_file(paths)
    if not file.is_file():
        return {}
    try:
        return _MEMORY.validate_python(records.read_json(file))
    except (RecordError, ValidationError):
        log.warning("%s holds no scores, so it is taken as empty", file)
        return {}
