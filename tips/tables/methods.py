"""Makes Table M: every method trained under the same conditions, beside its printed number."""

from dataclasses import dataclass
from typing import ClassVar

from tips.config import BACKBONE, FULL, Experiment, Study
from tips.paths import Paths
from tips.records import RecordError
from tips.tables import markdown, sources
from tips.tables.ablations import title
from tips.tables.cells import Absent, Count, Difference, Parameters, PrintedGain, number
from tips.tables.collect import Collected
from tips.tables.compared import (
    ORIGIN,
    Gain,
    Line,
    extended,
    gain_of,
    group_of,
    lines,
    linked,
    table_sheet,
)
from tips.tables.published import Row as Printed
from tips.tables.published import Table, printed_difference
from tips.tables.runs import Group
from tips.tables.sheet import Page, Section

NAME = "M"
BOXES = {"gt": "annotated", "detected": "detected"}
# Parts of an experiment that are the same in all rows. Only the backbone's training differs.
# Paper: DSTA trains with AdamW 5e-5 for 20 epochs at 256 x 192; here: the schedule and the crop of
# every second stage, because the table compares models under the same conditions.
SHARED = ("crop", "backbone", "augmentation", "training")


@dataclass(frozen=True)
class OverLine(Line):
    """A row, with the full model's gain over it."""

    last: ClassVar = ("tips_gain", "tips_low", "tips_high", "tips_verdict", *Line.last)

    tips_gain: Difference
    tips_low: Difference
    tips_high: Difference
    tips_verdict: str

    @property
    def tips(self) -> Gain:
        """The gain of the full model over this row."""
        return Gain(self.tips_gain, self.tips_low, self.tips_high, self.tips_verdict)


@dataclass(frozen=True)
class MethodLine(OverLine):
    """A row of Table M."""

    frames: Count  # number of frames of the window
    parameters: Parameters
    head_parameters: Parameters  # those beside the backbone's
    gain_on_boxes: PrintedGain  # over the baseline as others print it, on the boxes of this row
    tips_paper: PrintedGain  # gain of the printed full model over the printed row


def full_over(row: Printed, found: Collected) -> dict[str, object]:
    """Gives the full model's gain over a row, by the names of OverLine's columns."""
    group = group_of(row, found.study)
    full = None
    if group is not None and group.variant != FULL:
        full = Group(FULL, group.boxes)
    gain = gain_of(found.results, full, group if full else None, failed=False)
    return {
        "tips_gain": gain.value,
        "tips_low": gain.low,
        "tips_high": gain.high,
        "tips_verdict": gain.verdict,
    }


def _fill(table: Table, found: Collected) -> list[MethodLine]:
    full = next(table.paper(row) for row in table.rows if row.variant == FULL)
    one_frame = _parameters(BACKBONE, found.paths)
    made = []
    for row, line in zip(table.rows, lines(table, found), strict=True):
        variant = found.study.variants.get(line.variant)
        own = _parameters(line.variant, found.paths)
        on_boxes = printed_difference(line.paper, table.baseline_on_boxes) if line.baseline else ""
        over = "" if line.variant == FULL else printed_difference(full, line.paper)
        made.append(
            extended(
                MethodLine,
                line,
                frames=None if variant is None else len(variant.experiment.window),
                parameters=own,
                head_parameters=Absent.MISSING
                if isinstance(own, Absent) or isinstance(one_frame, Absent)
                else own - one_frame,
                gain_on_boxes=number(on_boxes),
                tips_paper=number(over),
                **full_over(row, found),
            )
        )
    return made


def _parameters(variant: str, paths: Paths) -> int | Absent:
    """Counts a whole network with its backbone, from the record of its first run."""
    file = paths.run(variant, "0") / "provenance.json"
    try:
        found = sources.read_if_present(sources.Provenance, file)
    except RecordError:  # the run's own row says why it failed
        return Absent.FAILED
    return Absent.MISSING if found is None else found.parameters


def _section(page: Page) -> Section:
    """Writes the table, and which conditions are equal."""
    table, rows = page.tables.table(NAME), page.of(METHODS)
    baseline = next(table.paper(row) for row in table.rows if row.variant == table.baseline)
    header = (
        *("method", "frames", "head"),
        f"paper / over {baseline} / {table.baseline_on_boxes}",
        *("ours ± sd (seeds)", f"over {table.baseline}", "over concat-wide"),
        *("TIPS over it, paper / ours", ORIGIN),
    )
    cells = [_cells(row, table) for row in rows]
    body = (
        "The published numbers of these methods come from different boxes, backbones and "
        "schedules. Here they are measured on the same boxes and trained on the same backbone; "
        "the list below the table names every setting of a training that departs from the full "
        "model's.\n\n"
        + markdown.table(header, cells, "lrrrrllll")
        + "\nHead: parameters beside the backbone's. Paper: the printed mAP, and its gain over "
        "both numbers of HRNet (see below).\n\n"
        + markdown.bullets([*conditions(table, page.study), *table.notes])
    )
    return Section(title(table), body)


def _cells(row: MethodLine, table: Table) -> list[str]:
    text, head = row.cells(), row.head_parameters
    return [
        row.label,
        text["frames"],
        str(head) if isinstance(head, Absent) else f"{head:,}",
        _joined(row.paper, row.printed_gain, text["gain_on_boxes"]),
        linked(row, table),
        row.read_gain,
        row.wide.full,
        _joined(text["tips_paper"], row.tips.full),
        row.origin,
    ]


def _joined(*parts: str) -> str:
    return " / ".join(part for part in parts if part)


def learned_middles(study: Study) -> bool:
    """Tells whether the generator `vfit` was trained on this study's own middle frames."""
    return study.scale.vfit is not None and study.scale.vfit.training is not None


def conditions(table: Table, study: Study) -> list[str]:
    """Says what is equal for all rows, by their configuration, and names every row that departs."""
    if FULL not in study.variants:
        return [f"`{FULL}` is none of this scale's rows, so no setting was compared with its own."]
    scale = study.scale
    backbones = "one checkpoint for all rows and seeds"
    if not scale.seeds.shared_backbone:
        backbones = "one checkpoint per seed for all rows"
    crop, training = study.variant(FULL).experiment.crop, study.variant(FULL).experiment.training
    windows = training.windows_per_epoch or "all"
    found = [
        f"Equal conditions are: {BOXES[scale.evaluation.boxes]} boxes; the frozen backbone of "
        f"`{BACKBONE}`, {backbones}; crops of {crop.height}x{crop.width} with the same "
        f"augmentation; {training.epochs} epochs of {windows} windows, batch "
        f"{training.batch * training.accumulation}, learning rate "
        f"{training.learning_rate:g} with the same schedule; one decoding, one metric."
    ]
    for name, parts in departures(table, study).items():
        apart = markdown.text(" and ".join(parts))
        found.append(f"{markdown.code(name)} departs from them in its {apart}.")
    return found + _interim(study)


def _interim(study: Study) -> list[str]:
    """Says what makes the full model's interim frames, and from what that has learned."""
    full = study.variant(FULL).experiment
    if full.interim_frames is None:
        return []
    text = (
        "Of these rows only the full model looks at interim frames; they are made by "
        f"`{full.interim_frames}`."
    )
    if full.interim_frames == "vfit" and learned_middles(study):
        text += (
            " VFIT was trained here on true middle frames of the training split, and no part of "
            "the other rows was; the full model without that is the row *optical flow* under "
            "*What the interim frame is worth*."
        )
    return [text]


def departures(table: Table, study: Study) -> dict[str, list[str]]:
    """Names rows whose configuration is not the full model's in a SHARED part, and the parts."""
    full = study.variant(FULL).experiment
    found = {}
    for row in table.rows:
        if row.variant in study.variants and row.variant != BACKBONE:
            own = study.variants[row.variant].experiment
            parts = [_difference(part, own, full) for part in SHARED]
            if any(parts):
                found[row.variant] = [part for part in parts if part]
    return found


def _difference(part: str, own: Experiment, full: Experiment) -> str:
    """Names a part with its own values, such as `training (epochs 99)`; "" if none differs."""
    mine, common = (dict(getattr(one, part)) for one in (own, full))
    apart = [f"{key} {value}" for key, value in mine.items() if value != common[key]]
    return f"{part} ({', '.join(apart)})" if apart else ""


METHODS = table_sheet(NAME, MethodLine, _fill, _section)
