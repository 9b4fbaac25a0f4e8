"""Tells what a number was computed from, and which parts of that have changed since."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from tips import records
from tips.chain import Judge
from tips.config import FULL, MEAN_POSE, load_study
from tips.config.guests import load_guests
from tips.evaluation.guest_files import GUEST
from tips.paths import study_paths
from tips.proofs import read_proofs
from tips.safe_text import visible
from tips.tables.explained import Asked, Run, explain, question
from tips.tables.published import load_tables

EXPERIMENTS = Path("experiments")


def run(what: str, scale: str = "desk", root: str = "", json: Path | None = None) -> None:
    """Shows the value of a variant, a run or a table's cell, and the chain behind it.

    A link of the chain is a training, predictions or metrics. For each link the stage says whether
    it is current, or else which file of the code, which key of the configuration or which input
    changed since it was made. It ends with the command that makes everything current again.

    Args:
        what: Names a variant (`tips`), a run (`tips/seed-0`), a cell of a table (`II (e)`) or a
            guest.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        json: Also writes the answer to this file, as json.

    Raises:
        ConfigError: nothing has that name.
        RecordError: a record of a run is malformed.
    """
    study = load_study(scale, EXPERIMENTS, root or None)
    paths = study_paths(study.scale)
    tables = load_tables(EXPERIMENTS / "tables.yaml", study.scale.dataset.release)
    guest = load_guests(scale, study.scale, EXPERIMENTS).get(what)
    asked = Asked(what, (0,), GUEST) if guest else question(what, study, tables)
    judge = Judge(study, paths, read_proofs(paths.proofs))
    answer, found = explain(what, asked, judge, root, guest)
    if json is not None:
        records.write_json(answer, json)
    _show(answer, asked, found)


def _show(answer: Mapping[str, Any], asked: Asked, found: Sequence[Run]) -> None:
    console = Console(highlight=False, soft_wrap=True)

    def say(line: str) -> None:
        console.print(visible(line), markup=False)

    value = "no value" if answer["value"] is None else f"{answer['value']:.2f} {answer['metric']}"
    spread = f" ± {answer['sd']:.2f}" if answer["sd"] is not None else ""
    seeds = f"{sum(run.value is not None for run in found)} of {len(found)} seeds"
    if asked.boxes == GUEST:
        seeds = "a guest, without seeds"
    say(f"{answer['what']}: {value}{spread} ({seeds}), {answer['state']}")
    if asked.cell is not None:
        table, row = asked.cell
        say(
            f"  table {table.roman or table.name}, row {row.row}: {row.label}; variant "
            f"{asked.variant}; the table's file shows {answer['shown'] or 'nothing yet'}"
        )
    changes = answer["configuration"] or (
        ["every value is its own" if asked.variant == FULL else "as its parent"]
    )
    if asked.variant != MEAN_POSE and asked.boxes != GUEST:
        say(f"  configuration: {'; '.join(changes)}")
    for run in found:
        say("  its files:" if asked.boxes == GUEST else f"  seed {run.seed}:")
        for link in run.links:
            for line in link.lines:
                say(f"    {line}")
    if answer["command"]:
        say(f"  make it again: {answer['command']}")
