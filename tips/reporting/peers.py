"""Peers from outside: networks that others trained on other data, beside our rows.

A peer lacks some of the dataset's joints. So every row of this table, also ours, is matched and
averaged over the joints that all peers have, as if nobody had annotated the others.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tips import records
from tips.chain import Judge
from tips.config import Study
from tips.evaluation import pck
from tips.evaluation.average_precision import (
    average_precision,
    labelled_columns,
    total,
    without_false_alarms,
)
from tips.evaluation.matching import match
from tips.evaluation.people import Bools, Clip, Floats, from_records
from tips.paths import Paths
from tips.peers.known import JOINTS, PEERS
from tips.records import Annotations, Predictions
from tips.reporting import markdown, runs, view
from tips.reporting.published import Table
from tips.reporting.rows import plain
from tips.reporting.runs import Group, RunFile
from tips.reporting.sections import Section
from tips.reporting.tables import Sheet
from tips.reporting.view import Row
from tips.skeleton import COLUMNS

STEM = "table-peers"
HEADER = ("row", "trained_on", *COLUMNS, "mean", "sd", "n_seeds", "status", "scale")
OURS = "this study's data"
HOW = (
    "Not asked here. `make peers` downloads MoveNet and BlazePose (145 MB, by npm) and scores them "
    "on the same frames and boxes; nothing else depends on them.\n"
)


class _Row(NamedTuple):
    label: str
    trained_on: str
    group: Group
    seeds: int


def sheet(study: Study, paths: Paths, controls: Table, judge: Judge | None) -> Sheet:
    """The peers and the rows of Table C, joint columns and their mean in percent.

    Args:
        study: the scale with its variants.
        paths: of the study.
        controls: Table C, whose rows on the usual boxes stand beside the peers.
        judge: says which runs are stale; None: none is called so.

    Raises:
        RecordError: annotations or predictions are malformed.
    """
    annotations = records.read(Annotations, paths.annotations("val"))
    cells = []
    for row in _rows(study, controls):
        files = runs.find({row.group: row.seeds}, paths, judge)
        scores = [
            common_ap(annotations, records.read(Predictions, file.predictions), study)
            for file in files
            if file.state in ("present", "stale")
        ]
        cells.append((row.label, row.trained_on, *_cells(scores, files, study), study.scale.name))
    return Sheet(STEM, "Peers from outside", HEADER, tuple(cells))


def _rows(study: Study, controls: Table) -> list[_Row]:
    boxes = study.scale.evaluation.boxes
    seeds = {name: variant.seeds for name, variant in study.variants.items()}
    seeds |= {row.variant: 1 for row in controls.rows if row.variant and not row.network}
    theirs = [
        _Row(peer.label, peer.trained_on, Group(name, boxes), 1) for name, peer in PEERS.items()
    ]
    ours = [
        _Row(row.label, OURS, Group(row.variant, boxes), seeds[row.variant])
        for row in controls.rows
        if row.variant in seeds and row.boxes == "gt"  # the study's usual boxes
    ]
    return theirs + ours


def common_ap(annotations: Annotations, predictions: Predictions, study: Study) -> Floats:
    """AP (or PCK) of every joint that all peers have, (15,), percent; NaN for the other joints."""
    body = study.scale.dataset.body
    common = np.array([name in JOINTS for name in body.joints])
    of_boxes = study.scale.dataset.metric == "PCK"
    clips = from_records(annotations, predictions, unit="box" if of_boxes else "head")
    clips = tuple(on_joints(clip, common) for clip in clips)
    if of_boxes:
        evidence = without_false_alarms(match(clips, pck.THRESHOLD))
    else:
        evidence = match(clips)
    return np.where(common, average_precision(evidence).ap, np.nan)


def on_joints(clip: Clip, kept: Bools) -> Clip:
    """A clip whose people, annotated and predicted, have the kept joints alone."""

    def only(joints: Floats) -> Floats:
        return np.where(kept[:, None], joints, np.nan)

    return clip._replace(
        truth=tuple(frame._replace(joints=only(frame.joints)) for frame in clip.truth),
        found=tuple(frame._replace(joints=only(frame.joints)) for frame in clip.found),
    )


def _cells(scores: Sequence[Floats], files: Sequence[RunFile], study: Study) -> tuple[str, ...]:
    states = {file.state for file in files}
    if not scores:
        word = "failed" if "failed" in states else "missing"
        return (*[word] * (len(COLUMNS) + 1), "", "0", word)
    columns = [labelled_columns(ap, study.scale.dataset.body) for ap in scores]
    means = np.array([total(ap) for ap in scores])
    parts = (np.mean([seed[part] for seed in columns]) for part in COLUMNS)
    sd = plain(float(means.std(ddof=1))) if len(means) > 1 else ""
    status = "stale" if "stale" in states else "done" if len(scores) == len(files) else "partial"
    ap = ("" if np.isnan(part) else plain(float(part)) for part in parts)
    return (*ap, plain(float(means.mean())), sd, str(len(scores)), status)


def peers_section(study: Study, paths: Paths) -> Section:
    """The report's words and table; how to get it where the peers were not asked."""
    table = paths.table(STEM)
    return Section("Peers from outside", _body(view.read(table), study) if table.is_file() else HOW)


def _body(rows: Sequence[Row], study: Study) -> str:
    body, metric = study.scale.dataset.body, study.scale.dataset.metric
    known = [part for part in COLUMNS if any(row[part] for row in rows)]
    names = ["nose" if part == "Head" else part.lower() for part in known]
    count = sum(name in JOINTS for name in body.joints)
    cells = [
        [row["row"], row["trained_on"], *(row[part] for part in known), _mean(row)] for row in rows
    ]
    header = ("", "trained on", *names, "mean ± sd (seeds)")
    return (
        f"{metric} of public networks on the same validation frames and boxes. **They were "
        "trained by others, on other data**, far more of it and at a larger size, and never saw "
        "this study's: no gain of one kind over the other is a gain of a method, and what their "
        "annotators called a hip is not quite what this dataset calls one. They say how hard these "
        "frames are for a network that knows people. Every row, also ours, is "
        f"matched and averaged over the {count} joints that all of them have: the peers have no "
        "head top and no head bottom. BlazePose looks twice, the second time at the region that "
        "it asks for itself.\n\n" + markdown.table(header, cells, "llr")
    )


def _mean(row: Row) -> str:
    return view.ours({**row, "ours": row["mean"], "note": ""})
