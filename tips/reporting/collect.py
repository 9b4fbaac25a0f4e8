"""Everything that the tables are made from, read run by run from the predictions files."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from tips import records, skeleton
from tips.chain import Judge
from tips.config import BACKBONE, Study
from tips.evaluation.average_precision import average_precision, labelled_columns
from tips.evaluation.oks import part_oks
from tips.evaluation.people import from_records
from tips.evaluation.synthesis import InBetween
from tips.paths import Paths
from tips.records import Predictions, RecordError
from tips.reporting import runs
from tips.evaluation.measure import Measured, Truth, load_truth, measure
from tips.reporting.published import Tables
from tips.reporting.results import Points, Results, score
from tips.reporting.runs import Group, RunFile

Progress = Callable[[Iterable[RunFile]], Iterable[RunFile]]
FIGURE_4 = "5"  # the table whose variants Fig. 4 shows
SYNTHESIS = ("2", "7")  # the tables whose variants Table S shows


class PartScores(NamedTuple):
    """One run's values of Fig. 4: part -> percent."""

    oks: dict[str, float]
    ap: dict[str, float]


class Collected(NamedTuple):
    """All measurements of a study. The lists hold one entry per seed that exists."""

    results: Results
    files: tuple[RunFile, ...]
    subsets: dict[Group, list[dict[str, float]]]
    between: dict[Group, dict[float, InBetween]]  # seeds concatenated
    parts: dict[Group, list[PartScores]]
    columns: dict[Group, list[dict[str, float]]]  # of the usual boxes: column -> percent
    sequences: int


def collect(
    study: Study,
    paths: Paths,
    tables: Tables,
    judge: Judge | None,
    remembered: Points,
    progress: Progress = iter,
) -> Collected:
    """Reads and measures every run that exists; an unreadable predictions file is a failed run.

    Args:
        study: the scale with its variants.
        paths: of the study.
        tables: which variants Fig. 4 and Table S show.
        judge: says which runs are stale; None: none is called so.
        remembered: scores that an earlier seed variance was pooled from.
        progress: wraps the loop over runs.
    """
    truth = load_truth(study, paths)
    files = runs.find(runs.wanted(study, tables), paths, judge)
    figure_4 = {row.variant for row in tables.table(FIGURE_4).rows}
    synthesis = {row.variant for name in SYNTHESIS for row in tables.table(name).rows}
    evidence, checked = {}, []
    subsets: dict[Group, list[dict[str, float]]] = {}
    between: dict[Group, list[dict[float, InBetween]]] = {}
    parts: dict[Group, list[PartScores]] = {}
    columns: dict[Group, list[dict[str, float]]] = {}
    for file in progress(files):
        opened = _open(file, truth)
        checked.append(opened if isinstance(opened, RunFile) else file)
        if isinstance(opened, RunFile):
            continue
        predictions, measured = opened
        group = file.group
        evidence[group, file.seed] = measured.evidence
        subsets.setdefault(group, []).append(measured.subsets)
        if group.variant in synthesis and measured.between:
            between.setdefault(group, []).append(measured.between)
        if group.boxes != study.scale.evaluation.boxes:
            continue
        ap = average_precision(measured.evidence).ap
        columns.setdefault(group, []).append(labelled_columns(ap, study.scale.dataset.body))
        if group.variant in figure_4 and study.scale.dataset.metric == "AP":
            area = study.scale.evaluation.oks_area
            parts.setdefault(group, []).append(_parts(predictions, columns[group][-1], truth, area))
    shared = {row.variant for table in tables.tables for row in table.rows if not row.network}
    if study.scale.seeds.shared_backbone:
        shared.add(BACKBONE)
    alike = frozenset(name for name in shared if name is not None)
    results = score(checked, evidence, alike, study.scale.evaluation, remembered)
    joined = {group: _joined(seeds) for group, seeds in between.items()}
    count = len(truth.annotations.sequences)
    return Collected(results, tuple(checked), subsets, joined, parts, columns, count)


def _open(file: RunFile, truth: Truth) -> RunFile | tuple[Predictions, Measured]:
    """Reads one run; a run without usable predictions comes back as its (failed) file."""
    if file.state in ("missing", "failed"):
        return file
    try:
        predictions = records.read(Predictions, file.predictions)
        return predictions, measure(predictions, truth)
    except RecordError as error:
        reason = str(error).replace(f"{file.predictions}: ", "")
        return file._replace(state="failed", reason=reason)


def _parts(predictions: Predictions, ap: dict[str, float], truth: Truth, area: float) -> PartScores:
    matching = "track" if predictions.boxes == "gt" else "best"
    clips = from_records(truth.annotations, predictions)
    oks = part_oks(clips, matching=matching, area_factor=area)  # type: ignore[arg-type]
    return PartScores(
        {name: oks.parts[name].score for name in skeleton.COLUMNS} | {"Mean": oks.mean},
        ap | {"Mean": float(np.mean(list(ap.values())))},
    )


def _joined(seeds: list[dict[float, InBetween]]) -> dict[float, InBetween]:
    times = sorted({time for seed in seeds for time in seed})
    return {
        time: InBetween(
            *(
                np.concatenate(values)
                for values in zip(*(seed[time] for seed in seeds if time in seed), strict=True)
            )
        )
        for time in times
    }
