"""Everything that the tables are made from, read run by run from what `evaluate` wrote."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from tips import records
from tips.chain import Judge
from tips.config import BACKBONE, Study
from tips.evaluation.metrics import Metrics, Scored, read_scored
from tips.evaluation.synthesis import InBetween
from tips.paths import Paths
from tips.provenance import file_digest
from tips.records import Annotations, RecordError
from tips.tables import runs
from tips.tables.published import Tables
from tips.tables.results import Points, Results, score
from tips.tables.runs import Group, RunFile

Progress = Callable[[Iterable[RunFile]], Iterable[RunFile]]


class Collected(NamedTuple):
    """A measured study. The lists hold one entry per seed that exists.

    `between` holds the errors of synthesized poses by their time, all seeds under each other.
    """

    study: Study
    paths: Paths
    tables: Tables
    annotations: Annotations  # of the validation split
    files: tuple[RunFile, ...]
    results: Results
    scored: Mapping[tuple[Group, int], Scored]

    def metrics(self, group: Group) -> list[Metrics]:
        """The metrics of every seed of a group that exists."""
        return [one.metrics for (owner, _), one in self.scored.items() if owner == group]

    def between(self, group: Group) -> dict[float, InBetween]:
        """Errors of a group's synthesized poses by time, those of all its seeds together."""
        seeds = [one.between for (owner, _), one in self.scored.items() if owner == group]
        times = sorted({time for seed in seeds for time in seed})
        return {time: _together([seed[time] for seed in seeds if time in seed]) for time in times}


def collect(
    study: Study,
    paths: Paths,
    tables: Tables,
    judge: Judge | None,
    remembered: Points,
    progress: Progress = iter,
) -> Collected:
    """Reads every run that was measured; one whose files are damaged is a failed run.

    Args:
        study: the scale with its variants.
        paths: of the study.
        tables: which predictors without a network there are.
        judge: says which runs are stale; None: none is called so.
        remembered: scores that an earlier seed variance was pooled from.
        progress: wraps the loop over runs.
    """
    annotations = records.read(Annotations, paths.annotations("val"))
    files, scored = [], {}
    for file in progress(runs.find(runs.wanted(study, tables), paths, judge)):
        opened = _open(file)
        if isinstance(opened, Scored):
            scored[file.group, file.seed] = opened
        files.append(file if isinstance(opened, Scored) else opened)
    shared = {row.variant for table in tables.tables for row in table.rows if not row.network}
    if study.scale.seeds.shared_backbone:
        shared.add(BACKBONE)
    alike = frozenset(name for name in shared if name is not None)
    evidence = {run: one.evidence for run, one in scored.items()}
    results = score(files, evidence, alike, study.scale.evaluation, remembered)
    return Collected(study, paths, tables, annotations, tuple(files), results, scored)


def _open(file: RunFile) -> RunFile | Scored:
    """Reads one run; a run that cannot be read comes back as its (failed) file."""
    if file.state in ("missing", "failed"):
        return file
    try:
        scored = read_scored(file.metrics, file.evidence)
        measured = scored.metrics.inputs.get("predictions")
        if measured != file_digest(file.predictions, "predict again"):
            raise RecordError(f"{file.predictions.name} changed since it was measured")
        return scored
    except RecordError as error:
        return file._replace(state="failed", reason=str(error).replace(f"{file.folder}/", ""))


def _together(parts: list[InBetween]) -> InBetween:
    return InBetween(*(np.concatenate(values) for values in zip(*parts, strict=True)))
