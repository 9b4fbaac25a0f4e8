"""Takes over runs that another machine trained, if they are what this study would make."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tips import locks
from tips.config import ConfigError
from tips.entering import enter, go_on
from tips.merging import Candidate, MismatchError, candidates
from tips.opened import open_study
from tips.placed import placed
from tips.progress import track
from tips.proofs import read_proofs
from tips.safe_text import one_line
from tips.training.finished import CHECKPOINT


def run(folder: Path, scale: str = "desk", root: str = "", dry_run: bool = False) -> None:
    """Copies the runs of another folder or archive into this study: all of them or none.

    A run enters only if configuration, code, data and backbone have the digests that a training
    here would record; otherwise the first one that differs is named, and nothing is copied. A run
    that is here already must have the same weights and predictions. Afterwards the workflow makes
    what is missing, and trains none of these runs again. If a kill interrupts it while the runs
    enter, the next merge goes on with them first.

    Args:
        folder: Names a project, a folder of results, or an archive made with --weights.
        scale: Takes the study of this scale, a file of experiments/scales.
        root: Sets the dataset folder if the scale has none.
        dry_run: Only shows which runs would enter.

    Raises:
        ConfigError: a run is not what this study would make, or there is none.
        LockError: the workflow runs here.
        RecordError: an archive is altered, or a record is malformed.
    """
    study, here = open_study(scale, root)
    with (
        locks.alone(locks.WORKFLOW, "works in this folder"),
        placed(folder, scale, root) as other,
    ):
        if not dry_run and (count := go_on(here)):
            print(f"{count} runs entered that an earlier merge, which was killed, had copied")
        if (other.study.scale.name, other.paths.dataset) != (study.scale.name, here.dataset):
            raise ConfigError(
                f"{folder}: is of scale '{other.study.scale.name}' on dataset "
                f"'{other.paths.dataset}', and this study of '{study.scale.name}' on "
                f"'{here.dataset}'; choose by --scale and --root"
            )
        proofs = read_proofs(here.proofs)
        label = "comparing runs"
        comparing = candidates(study, here, other.paths, proofs, lambda runs: track(runs, label))
        try:
            found = list(comparing)
        except MismatchError as error:
            raise ConfigError(f"{folder}: {error}") from error
        if not found:
            raise ConfigError(f"{folder}: holds no run of this study")
        entering = [one for one in found if one.state == "enters"]
        if entering:
            _show(entering)
        if not dry_run and entering:
            enter(entering, here, other.paths)
    counts = Counter(one.state for one in found)
    verb = "would enter" if dry_run else "entered"
    print(f"{counts['enters']} runs {verb}, {counts['already here']} are here already")


def _show(entering: Sequence[Candidate]) -> None:
    """Lists the runs that enter; those that are here already are only counted."""
    table = Table()
    for name in ("enters", "trained on", "weights", "scored on boxes"):
        table.add_column(name, overflow="fold")
    for one in entering:
        boxes = [Path(name).parent.name or "gt" for name in one.files if "metrics" in name]
        size = (one.folder / CHECKPOINT).stat().st_size / 1e6
        machine = one_line(str(one.record.get("machine", "unknown")), 60)
        table.add_row(one.name, machine, f"{size:.1f} MB", ", ".join(boxes) or "none")
    Console(highlight=False).print(table)
