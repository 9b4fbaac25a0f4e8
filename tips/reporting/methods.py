"""Table M: every method under the same conditions, beside what its printed number suggests."""

from collections.abc import Sequence

from tips.config import BACKBONE, FULL, Experiment, Study
from tips.paths import Paths
from tips.reporting import markdown, sources, view
from tips.reporting.published import Table, printed_difference
from tips.reporting.results import Results
from tips.reporting.rows import Line, signed, verdict
from tips.reporting.runs import Group
from tips.reporting.sections import Section, learned_middles
from tips.reporting.view import Row

NAME = "M"
FULL_OVER = ("tips_gain", "tips_low", "tips_high", "tips_verdict")
COLUMNS = ("frames", "parameters", "head_parameters", "gain_on_boxes", "tips_paper", *FULL_OVER)
BOXES = {"gt": "annotated", "detected": "detected"}
# Parts of an experiment that no row may have to itself, but the backbone's own training.
# Paper: DSTA trains with AdamW 5e-5 for 20 epochs at 256 x 192; here: the schedule and the crop of
# every second stage, because the table compares models under the same conditions.
SHARED = ("crop", "backbone", "augmentation", "training")


def extra(
    table: Table, lines: Sequence[Line], study: Study, paths: Paths, results: Results
) -> list[tuple[str, ...]]:
    """The cells of COLUMNS for every line."""
    full = next(line.paper for line in lines if line.group and line.group.variant == FULL)
    one_frame = _parameters(BACKBONE, paths)
    cells = []
    for line in lines:
        variant = line.group.variant if line.group else ""
        experiment = study.variants[variant].experiment if variant in study.variants else None
        own = _parameters(variant, paths)
        head = own is not None and one_frame is not None
        cells.append(
            (
                "" if experiment is None else str(len(experiment.window)),
                "missing" if own is None else str(own),
                str((own or 0) - (one_frame or 0)) if head else "missing",
                printed_difference(line.paper, table.baseline_on_boxes) if line.baseline else "",
                "" if variant == FULL else printed_difference(full, line.paper),
                *full_over(line, results),
            )
        )
    return cells


def full_over(line: Line, results: Results) -> tuple[str, ...]:
    """The full model's gain over a row, with its interval and verdict (FULL_OVER)."""
    if line.group is None or line.group.variant == FULL:
        return ("",) * len(FULL_OVER)
    gain = results.gain(Group(FULL, line.group.boxes), line.group)
    if gain is None:
        return ("missing", "missing", "missing", "")
    return (*map(signed, (gain.difference, gain.low, gain.high)), verdict(gain))


def _parameters(variant: str, paths: Paths) -> int | None:
    """Of a whole network with its backbone, from the record of its first run."""
    file = paths.run(variant, "0") / "provenance.json"
    found = sources.read_if_present(sources.Provenance, file)
    return None if found is None else found.parameters


def section(table: Table, rows: Sequence[Row], study: Study) -> Section:
    """The table as a reader wants it, and what equal conditions are."""
    baseline = next(table.paper(row) for row in table.rows if row.variant == table.baseline)
    header = (
        *("method", "frames", "head"),
        f"paper / over {baseline} / {table.baseline_on_boxes}",
        *("ours ± sd (seeds)", f"over {table.baseline}", "over concat-wide"),
        *("TIPS over it, paper / ours", view.ORIGIN),
    )
    cells = [
        [
            row["label"],
            row["frames"],
            _thousands(row["head_parameters"]),
            _joined(row["paper"], row["gain_paper"], row["gain_on_boxes"]),
            view.ours(row),
            f"{view.gain(row, 'gain_ours', 'low', 'high')} {view.reading(row)}".strip(),
            view.wide(row),
            _joined(row["tips_paper"], shown_over(row)),
            row["origin"],
        ]
        for row in rows
    ]
    body = (
        "The published numbers of these methods come from different boxes, backbones and "
        "schedules. Here they are measured on the same boxes and trained on the same backbone; "
        "the list below the table names every setting of a training that departs from the full "
        "model's.\n\n"
        + markdown.table(header, cells, "lrrrrllll")
        + "\nHead: parameters beside the backbone's. Paper: the printed mAP, and its gain over "
        "both numbers of HRNet (see below).\n\n"
        + markdown.bullets([*conditions(table, study), *table.notes])
    )
    return Section(f"Table {table.roman}: {table.title.lower()}", body)


def shown_over(row: Row) -> str:
    """The full model's gain over a row with what its interval says."""
    return f"{view.gain(row, *FULL_OVER[:3])} {row['tips_verdict']}".strip()


def conditions(table: Table, study: Study) -> list[str]:
    """What is equal for all rows, read from their configuration, and every row that departs."""
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
        f"{training.learning_rate:g} with the same milestones; one decoding, one metric."
    ]
    for name, parts in departures(table, study).items():
        found.append(f"`{name}` departs from them in its {' and '.join(parts)}.")
    return found + _interim(study)


def _interim(study: Study) -> list[str]:
    """What the full model's interim frames are made by, and what that has learned from."""
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
    """Rows whose configuration is not the full model's in a part that all share, and the parts."""
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
    """A part with the values of its own that it has, such as `training (epochs 99)`; "" if none."""
    mine, common = (dict(getattr(one, part)) for one in (own, full))
    apart = [f"{key} {value}" for key, value in mine.items() if value != common[key]]
    return f"{part} ({', '.join(apart)})" if apart else ""


def _joined(*parts: str) -> str:
    return " / ".join(part for part in parts if part)


def _thousands(cell: str) -> str:
    return f"{int(cell):,}" if cell.lstrip("-").isdigit() else cell
