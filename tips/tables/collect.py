"""Collects everything that tables are made from, run by run, as `evaluate` wrote it."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tips import records
from tips.chain import Judge
from tips.config import BACKBONE, Study
from tips.config.guests import Guest
from tips.evaluation.metrics import Metrics, Scored, read_scored
from tips.evaluation.synthesis import InBetween
from tips.paths import Paths
from tips.records import Annotations, RecordError
from tips.tables import runs
from tips.tables.published import TOTAL, Tables
from tips.tables.results import Memory, Results, score
from tips.tables.runs import Group, RunFile
from tips.tables.yours import Beside, your_variants

Progress = Callable[[Iterable[RunFile]], Iterable[RunFile]]


class Collected(NamedTuple):
    """A measured study."""

    study: Study
    paths: Paths
    tables: Tables
    annotations: Annotations  # of the validation split
    files: tuple[RunFile, ...]
    results: Results
    parts: Mapping[str, Results]  # by part, whose OKS is the score
    scored: Mapping[tuple[Group, int], Scored]
    beside: tuple[Beside, ...] = ()  # what to compare the user's own variants with
    guests: Mapping[str, Guest] = MappingProxyType({})  # those that the tables show, by name

    @property
    def memory(self) -> Memory:
        """The scores that the seed variances are pooled from."""
        by_score = {TOTAL: self.results, **self.parts}
        return {name: one.variance.points for name, one in by_score.items()}

    def metrics(self, group: Group) -> list[Metrics]:
        """Gives the metrics of a group, one entry per seed that was measured."""
        return [one.metrics for (owner, _), one in self.scored.items() if owner == group]

    def between(self, group: Group) -> dict[float, InBetween]:
        """Gives the errors of a group's synthesized poses by their time, of all seeds together."""
        seeds = [one.between for (owner, _), one in self.scored.items() if owner == group]
        times = sorted({time for seed in seeds for time in seed})
        return {time: _together([seed[time] for seed in seeds if time in seed]) for time in times}


def collect(
    study: Study,
    paths: Paths,
    tables: Tables,
    judge: Judge | None,
    remembered: Memory,
    progress: Progress = iter,
    beside: tuple[Beside, ...] = (),
    guests: Mapping[str, Guest] = MappingProxyType({}),
) -> Collected:
    """Reads every run that was measured; one whose files are damaged counts as failed.

    Args:
        study: the scale with its variants.
        paths: the paths of the study.
        tables: the published tables, which name the predictors without a network.
        judge: tells which runs are stale; None calls no run stale.
        remembered: the scores that earlier seed variances were pooled from.
        progress: wraps the loop over runs, to show progress.
        beside: the rows to compare the user's own variants with.
        guests: the guests that the tables show; what is pooled over runs does not see them.
    """
    annotations = records.read(Annotations, paths.annotations("val"))
    files, scored = [], {}
    for file in progress(runs.find(runs.wanted(study, tables), paths, judge)):
        opened = open_run(file)
        if isinstance(opened, Scored):
            scored[file.group, file.seed] = opened
        files.append(file if isinstance(opened, Scored) else opened)
    shared = {row.variant for table in tables.tables for row in table.rows if not row.network}
    if study.scale.seeds.shared_backbone:
        shared.add(BACKBONE)
        shared |= {name for name, one in study.variants.items() if not one.experiment.learns}
    alike = frozenset(name for name in shared if name is not None)
    kinds = {name: one.experiment.model for name, one in study.variants.items()}
    own = frozenset(row.row for row in your_variants(tables, study).rows)
    found = score(files, scored, alike, study.scale.evaluation, remembered, kinds, own)
    results = found.pop(TOTAL)
    return Collected(
        *(study, paths, tables, annotations, tuple(files), results, found, scored, beside, guests)
    )


def open_run(file: RunFile) -> RunFile | Scored:
    """Reads one run; a run that is missing, or cannot be read, is given back with the reason."""
    if file.state in ("missing", "failed"):
        return file
    try:
        return read_scored(file.metrics, file.evidence)
    except RecordError as error:
        return file._replace(state="failed", reason=str(error).replace(f"{file.folder}/", ""))


def _together(parts: list[InBetween]) -> InBetween:
    return InBetween(*(np.concatenate(values) for values in zip(*parts, strict=True)))
