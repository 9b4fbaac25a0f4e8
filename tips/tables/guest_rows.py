"""Makes the guests' rows: predictions that something else made, beside Table M.

A guest changes no other cell: nothing is pooled over it. If it lacks joints, such as the head's
top, both sides of its gains are scored over the joints that it has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple

import numpy as np

from tips import skeleton
from tips.config import BACKBONE, CAPACITY_CONTROL, FULL
from tips.config.guests import Guest
from tips.evaluation import intervals
from tips.evaluation.average_precision import average_precision, labelled_columns, total
from tips.evaluation.guest_files import digest_of, guest_folder
from tips.evaluation.metrics import Scored
from tips.evaluation.people import Ints
from tips.paths import Paths
from tips.records import RecordError, read, read_object
from tips.tables import markdown, sources
from tips.tables.cells import (
    Absent,
    Count,
    Level,
    Spread,
    Value,
    absent,
    digits,
    known,
    plain,
    value_of,
)
from tips.tables.collect import Collected, open_run
from tips.tables.compared import gain_of
from tips.tables.methods import OverLine
from tips.tables.results import Results, Seeded
from tips.tables.runs import Group, RunFile, find_guest
from tips.tables.sheet import Page, Section, Sheet

Made = Literal["self-reported", "made here"]
EXPERIMENTS = Path("experiments")
MADE: dict[str, Made] = {"self-reported": "self-reported", "here": "made here"}
NONE = (
    "None. A file `experiments/guests/NAME.yaml` names a folder of PoseTrack's json that anything "
    "made, and this section shows it beside our rows. `make peers` adds MoveNet and BlazePose "
    "(145 MB, by npm).\n"
)


@dataclass(frozen=True)
class GuestLine(OverLine):
    """A guest, with the columns of Table M that hold for it."""

    last: ClassVar = (*OverLine.last, "parts")

    frames: Count  # number of frames that a pose is computed from
    made: Made
    source: str  # who made it
    trained_on: str
    boxes: str
    lacking: str  # joints that it never predicts
    over_its_joints: Level  # AP over the other joints
    people_found: Count
    people_annotated: Count
    parts: Annotated[dict[str, Value], Spread("", tuple(skeleton.COLUMNS), digits(2))]

    @property
    def shown(self) -> str:
        """Its AP as PoseTrack counts it, and its status unless that is `done`."""
        score = plain(self.ours) if self.status == "done" else f"{plain(self.ours)} {self.status}"
        if not known(self.ours):
            score = str(self.ours)
        return f"{score}: {self.note}" if self.note else score


class People(sources.Source):
    """How many people a guest found in the frames that count, and how many are annotated."""

    found: sources.Count
    annotated: sources.Count


class _Counts(sources.Source):
    people: People


class _Measured(NamedTuple):
    """A guest, and the rows that it is compared with."""

    file: RunFile
    scored: Scored | None  # None if it was not measured
    joints: tuple[int, ...]  # places of those that it predicts
    results: Results  # of the guest and these rows, on the guest's joints


class _Scores(NamedTuple):
    total: Value  # as PoseTrack counts it, with 0 for a joint that it lacks
    of_its_joints: Value
    lacking: tuple[str, ...]
    parts: dict[str, Value]  # the seven columns over its joints


def shown(guests: Mapping[str, Guest], paths: Paths) -> dict[str, Guest]:
    """Chooses the guests that tables show: a peer only after somebody has asked for it.

    Args:
        guests: the guests of a study.
        paths: the paths of the study.
    """
    return {
        name: guest
        for name, guest in guests.items()
        if guest.peer is None or paths.guest(name, "metrics.json").is_file()
    }


def _fill(found: Collected) -> list[GuestLine]:
    return [_line(name, guest, found) for name, guest in found.guests.items()]


def _line(name: str, guest: Guest, found: Collected) -> GuestLine:
    file, scored, joints, results = _measured(name, guest, found)
    usual, group = found.study.scale.evaluation.boxes, file.group
    single, wide = (
        gain_of(results, group, Group(over, usual)) for over in (BACKBONE, CAPACITY_CONTROL)
    )
    tips = gain_of(results, Group(FULL, usual), group)
    status = results.status(group)
    scores = _scores(scored, joints, absent(status, Absent.UNKNOWN))
    people = None if scored is None else read(_Counts, file.metrics).people
    return GuestLine(
        row=name,
        label=guest.title,
        variant=name,
        paper="",
        ours=scores.total,
        sd=Absent.NONE,
        n_seeds=None,
        status=status,
        scale=found.study.scale.name,
        baseline=BACKBONE,
        gain_paper=None,
        gain_ours=single.value,
        low=single.low,
        high=single.high,
        gain_wide=wide.value,
        low_wide=wide.low,
        high_wide=wide.high,
        verdict=single.verdict,
        verdict_wide=wide.verdict,
        note=file.reason,
        origin="guest",
        tips_gain=tips.value,
        tips_low=tips.low,
        tips_high=tips.high,
        tips_verdict=tips.verdict,
        frames=guest.frames,
        made=MADE[guest.made],
        source=guest.origin,
        trained_on=guest.trained_on,
        boxes=guest.boxes,
        lacking=", ".join(name.replace("_", " ") for name in scores.lacking),
        over_its_joints=scores.of_its_joints,
        people_found=None if people is None else people.found,
        people_annotated=None if people is None else people.annotated,
        parts=scores.parts,
    )


def _measured(name: str, guest: Guest, found: Collected) -> _Measured:
    """Reads a guest, and puts it among the rows that it is compared with."""
    file = _judged(find_guest(name, found.paths), guest, found.paths)
    opened = open_run(file)
    if isinstance(opened, RunFile):
        groups = {**found.results.groups, opened.group: Seeded((opened,), None)}
        return _Measured(opened, None, (), found.results._replace(groups=groups))
    evidence = opened.evidence
    joints = tuple(np.flatnonzero(np.bincount(evidence.joint, minlength=skeleton.COUNT)).tolist())
    weights = intervals.resamples(evidence.strata, found.study.scale.evaluation.resamples)
    row = intervals.row({0: evidence}, weights, shared=True, joints=joints)
    usual = found.study.scale.evaluation.boxes
    rows = {
        group: _on_joints(group, joints, weights, found)
        for group in (Group(variant, usual) for variant in (BACKBONE, CAPACITY_CONTROL, FULL))
        if group in found.results.groups
    }
    rows[file.group] = Seeded((file,), row)
    return _Measured(file, opened, joints, found.results._replace(groups=rows))


def _judged(file: RunFile, guest: Guest, paths: Paths) -> RunFile:
    """Marks a guest stale if its files are not those that were measured."""
    if file.state != "present":
        return file
    try:
        then = read_object(file.metrics).get("inputs", {}).get("guest")
        now = digest_of(guest_folder(file.group.variant, guest, paths, EXPERIMENTS))
    except RecordError as error:
        return file._replace(state="stale", reason=str(error))
    same = then == now
    return file if same else file._replace(state="stale", reason="its files changed since")


def _on_joints(group: Group, joints: Sequence[int], weights: Ints, found: Collected) -> Seeded:
    """Gives a row of ours scored over some joints; its seed variance stays that of all joints."""
    seeded = found.results.groups[group]
    if seeded.row is None or len(joints) == skeleton.COUNT:
        return seeded
    evidence = {seed: found.scored[group, seed].evidence for seed in seeded.row.seeds}
    return seeded._replace(row=intervals.row(evidence, weights, seeded.row.shared, joints))


def _scores(scored: Scored | None, joints: Sequence[int], word: Absent) -> _Scores:
    """Scores a guest; `word` stands for the numbers of one that was not measured."""
    if scored is None:
        return _Scores(word, word, (), dict.fromkeys(skeleton.COLUMNS, word))
    ap = average_precision(scored.evidence).ap
    columns = labelled_columns(np.where(np.isin(range(skeleton.COUNT), joints), ap, np.nan))
    return _Scores(
        total=value_of(float(total(ap)), Absent.UNKNOWN),
        of_its_joints=value_of(float(total(ap[list(joints)])), Absent.UNKNOWN),
        lacking=tuple(n for place, n in enumerate(skeleton.JOINTS) if place not in joints),
        parts={name: value_of(ap, Absent.UNDEFINED) for name, ap in columns.items()},
    )


def _section(page: Page) -> Section:
    rows = page.of(GUESTS)
    return Section("Guests: predictions from elsewhere", _body(rows) if rows else NONE)


def _body(rows: Sequence[GuestLine]) -> str:
    header = ("guest", "", "frames", "AP", f"over {BACKBONE}", f"over {CAPACITY_CONTROL}")
    gains = [
        [row.label, row.made, row.cells()["frames"], row.shown]
        + [gain.full for gain in (row.gain, row.wide, row.tips)]
        for row in rows
    ]
    origins = [
        f"{markdown.text(row.label)}: {markdown.text(row.source)}. Trained on "
        f"{markdown.text(row.trained_on)}. Boxes: {markdown.text(row.boxes)}."
        for row in rows
    ]
    return (
        "Nothing here trained these networks; they are scored on the same validation frames as the "
        "rows of Table M. A gain over them, or theirs, is no gain of a method: training data, "
        "size and boxes differ. What is *self-reported* was predicted elsewhere, and nobody here "
        "can say how; what is *made here* was predicted by a rule of this workflow or by whoever "
        "wrote the guest's file. A guest is one set of predictions without seeds. So its intervals "
        "hold the choice of sequences and the seeds of our rows (of a row that was trained once, "
        "the variance pooled over the others), but not what another training of the guest would "
        "give. "
        "No other number of this report depends on a guest.\n\n"
        + markdown.table((*header, "TIPS over it"), gains, "llrrlll")
        + "\nAP is PoseTrack's, which counts 0 for a joint that a guest lacks. Gains, and the "
        "table below, are over the joints that it has.\n\n"
        + markdown.table(*_details(rows))
        + "\n"
        + markdown.bullets(origins)
    )


def _details(rows: Sequence[GuestLine]) -> tuple[Sequence[str], list[list[str]], str]:
    """Lists what lies behind each AP: people, joints, and the columns of Tables VIII-XI."""
    header = ("guest", "people found / annotated", "joints it lacks", "AP over its joints")
    cells = [
        [
            row.label,
            f"{text['people_found']} / {text['people_annotated']}",
            row.lacking or "none",
            text["over_its_joints"],
            *(plain(row.parts[part]) for part in skeleton.COLUMNS),
        ]
        for row, text in ((row, row.cells()) for row in rows)
    ]
    return (*header, *skeleton.COLUMNS), cells, "lllr"


GUESTS = Sheet("table-guests", "Guests", GuestLine, _fill, section=_section)
