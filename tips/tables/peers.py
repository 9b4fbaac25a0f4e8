"""Compares our rows with peers: networks that others trained on other data.

A peer lacks some of the dataset's joints. So every row of this table, also ours, is matched and
averaged over the joints that all peers have, as if nobody had annotated the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

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
from tips.skeleton import COLUMNS
from tips.tables import markdown, runs
from tips.tables.cells import Absent, Level, Spread, Value, digits, plain, value_of
from tips.tables.compared import shown_score
from tips.tables.published import Table
from tips.tables.row import Row
from tips.tables.runs import Group, RunFile, Status
from tips.tables.sheet import Page, Section, Sheet

OURS = "this study's data"
HOW = (
    "Not asked here. `make peers` downloads MoveNet and BlazePose (145 MB, by npm) and scores them "
    "on the same frames and boxes; nothing else depends on them.\n"
)


@dataclass(frozen=True)
class PeerRow(Row):
    """A peer or a row of ours, in percent, over the joints that all peers have."""

    last: ClassVar = ("mean", "sd", "n_seeds", "status", "scale")

    row: str
    trained_on: str
    mean: Level
    sd: Level
    n_seeds: int
    status: Status
    scale: str
    parts: Annotated[dict[str, Value], Spread("", tuple(COLUMNS), digits(2))]

    @property
    def shown(self) -> str:
        """The mean with its deviation and seeds."""
        return shown_score(self.mean, self.sd, self.n_seeds, self.status)


class _Asked(NamedTuple):
    label: str
    trained_on: str
    group: Group
    seeds: int


def fill(study: Study, paths: Paths, controls: Table, judge: Judge | None) -> list[PeerRow]:
    """Makes the rows of the peers and of Table C: joint columns and their mean in percent.

    Args:
        study: the scale with its variants.
        paths: the paths of the study.
        controls: Table C, whose rows on the usual boxes are compared with the peers.
        judge: tells which runs are stale; None calls no run stale.

    Raises:
        RecordError: annotations or predictions are malformed.
    """
    annotations = records.read(Annotations, paths.annotations("val"))
    made = []
    for asked in _asked(study, controls):
        files = runs.find({asked.group: asked.seeds}, paths, judge, "predictions")
        scores = [
            common_ap(annotations, records.read(Predictions, file.predictions), study)
            for file in files
            if file.state in ("present", "stale")
        ]
        made.append(_row(asked, scores, files, study))
    return made


def _asked(study: Study, controls: Table) -> list[_Asked]:
    boxes = study.scale.evaluation.boxes
    seeds = {name: variant.seeds for name, variant in study.variants.items()}
    seeds |= {row.variant: 1 for row in controls.rows if row.variant and not row.network}
    theirs = [
        _Asked(peer.label, peer.trained_on, Group(name, boxes), 1) for name, peer in PEERS.items()
    ]
    ours = [
        _Asked(row.label, OURS, Group(row.variant, boxes), seeds[row.variant])
        for row in controls.rows
        if row.variant in seeds and row.boxes == "gt"  # the study's usual boxes
    ]
    return theirs + ours


def common_ap(annotations: Annotations, predictions: Predictions, study: Study) -> Floats:
    """Computes AP (or PCK) of every joint that all peers have.

    Args:
        annotations: the annotated people.
        predictions: the predictions of one network with one seed.
        study: the scale, which tells the dataset's joints and its metric.

    Returns:
        Percent per joint (15,); NaN for the joints that a peer lacks.
    """
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
    """Gives a clip whose people, annotated and predicted, have only the joints `kept` (15,)."""

    def only(joints: Floats) -> Floats:
        return np.where(kept[:, None], joints, np.nan)

    return clip._replace(
        truth=tuple(frame._replace(joints=only(frame.joints)) for frame in clip.truth),
        found=tuple(frame._replace(joints=only(frame.joints)) for frame in clip.found),
    )


def _row(
    asked: _Asked, scores: Sequence[Floats], files: Sequence[RunFile], study: Study
) -> PeerRow:
    states = {file.state for file in files}
    status: Status = "stale" if "stale" in states else "done"
    mean: Value = Absent.MISSING
    sd: Value = Absent.NONE
    parts: dict[str, Value]
    if scores:
        columns = [labelled_columns(ap, study.scale.dataset.body) for ap in scores]
        means = np.array([total(ap) for ap in scores])
        parts = {p: value_of(float(np.mean([seed[p] for seed in columns]))) for p in COLUMNS}
        mean = float(means.mean())
        if len(means) > 1:
            sd = float(means.std(ddof=1))
        if status == "done" and len(scores) < len(files):
            status = "partial"
    else:
        status = "failed" if "failed" in states else "missing"
        mean = Absent(status)
        parts = dict.fromkeys(COLUMNS, mean)
    return PeerRow(
        row=asked.label,
        trained_on=asked.trained_on,
        parts=parts,
        mean=mean,
        sd=sd,
        n_seeds=len(scores),
        status=status,
        scale=study.scale.name,
    )


def _section(page: Page) -> Section:
    """Writes the section; without a table it says how to get one."""
    asked = PEER_ROWS.file(page.paths).is_file()
    return Section("Peers from outside", _body(page) if asked else HOW)


def _body(page: Page) -> str:
    rows, study = PEER_ROWS.read(page.paths), page.study
    body, metric = study.scale.dataset.body, study.scale.dataset.metric
    asked = [part for part in COLUMNS if any(row.parts[part] is not Absent.NONE for row in rows)]
    names = ["nose" if part == "Head" else part.lower() for part in asked]
    count = sum(name in JOINTS for name in body.joints)
    cells = [
        [row.row, row.trained_on, *(plain(row.parts[part]) for part in asked), row.shown]
        for row in rows
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


PEER_ROWS = Sheet(
    "table-peers",
    "Peers from outside",
    PeerRow,
    None,
    section=_section,
    maker="tabulate-peers",
)
