"""Explains a number: its value, the chain that it was computed through, and what has changed since.

The stage `why` prints it; MLflow keeps it beside the runs of a variant.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Final, NamedTuple

from tips import kinds, records
from tips.chain import Judge, Link, State, parent_difference, together, whole
from tips.config import MEAN_POSE, ConfigError, Study
from tips.config.guests import Guest
from tips.evaluation.guest_files import digest_of, guest_folder
from tips.evaluation.metrics import Metrics, read_scored
from tips.paths import Paths, study_paths
from tips.safe_text import cut
from tips.tables.cells import plain
from tips.tables.contents import SHEETS
from tips.tables.published import Row, Table, Tables

EXPERIMENTS: Final = Path("experiments")
# As the folders of runs are written: no other digits than ours, and none in front.
RUN: Final = re.compile(r"(?:seed-)?(0|[1-9][0-9]{0,5})")


class Asked(NamedTuple):
    """What a question is about: runs of one variant, and the cell of a table that shows them."""

    variant: str
    seeds: tuple[int, ...]
    boxes: str
    cell: tuple[Table, Row] | None = None


class Run(NamedTuple):
    """One run: its value, and the links of the chain that the value was computed through."""

    seed: int
    value: float | None
    state: State
    links: list[Link]


def explain(
    what: str, asked: Asked, judge: Judge, root: str = "", guest: Guest | None = None
) -> tuple[dict[str, Any], list[Run]]:
    """Gathers the value that is asked about and the chain behind it, in the form of `--json`.

    Args:
        what: the question, as the user wrote it.
        asked: the question, as `question` understood it.
        judge: compares the links of the chain with the present code, settings and files.
        root: the dataset folder, if the user gave one.
        guest: the settings of the guest that is asked about, if it is one.

    Returns:
        The answer, and the runs that it is about.
    """
    if guest is None:
        found = [_run(judge, asked, seed) for seed in asked.seeds]
    else:
        found = [_guest(judge, asked.variant, guest)]
    answer = _answer(what, asked, judge.study, judge.paths, found)
    answer["command"] = _command(answer["state"], found, judge.study.scale.name, root)
    return answer, found


def question(what: str, study: Study, tables: Tables) -> Asked:
    """Finds out what is asked about.

    Args:
        what: a variant, a run or a cell, as the user wrote it.
        study: the scale with its variants.
        tables: the published tables, whose rows name variants.

    Raises:
        ConfigError: nothing has that name; the message names what is similar.
    """
    boxes = study.scale.evaluation.boxes
    head, _, rest = what.strip().partition(" ")
    cell = _cell(head, rest.strip(" ()"), tables) if rest else None
    if cell is not None:
        return _of_cell(what, cell, study)
    name, _, run = what.strip().rstrip("/").partition("/")
    known = [*study.variants, MEAN_POSE]
    if name not in known:
        near = kinds.nearest(name, known)
        raise ConfigError(f"no variant '{what}', and no cell such as 'II (e)'{near}")
    seeds = range(study.variants[name].seeds if name in study.variants else 1)
    if not run:
        return Asked(name, tuple(seeds), boxes)
    number = RUN.fullmatch(run)
    if number is None:
        raise ConfigError(f"unknown run '{cut(what, 100)}'; write {name}/seed-0")
    # A study with more seeds may have been made by `snakemake --config seeds=N`.
    made = study_paths(study.scale).run(name, number[1]).is_dir()
    if int(number[1]) not in seeds and not made:
        raise ConfigError(
            f"unknown run '{what}'; {name} has the runs seed-0 to seed-{len(seeds) - 1}"
        )
    return Asked(name, (int(number[1]),), boxes)


def _cell(roman: str, key: str, tables: Tables) -> tuple[Table, Row] | None:
    """Finds the row of a table by its printed number; gives None if no table is called so."""
    table = next((t for t in tables.tables if roman in (t.roman, t.name)), None)
    if table is None:
        return None
    row = next((row for row in table.rows if row.row == key), None)
    if row is None:
        keys = [one.row for one in table.rows]
        raise ConfigError(f"table {roman} has no row '{key}'{kinds.nearest(key, keys)}")
    return table, row


def _of_cell(what: str, cell: tuple[Table, Row], study: Study) -> Asked:
    row = cell[1]
    if row.variant is None:
        raise ConfigError(f"{what}: this row is quoted from the paper; nothing here made it")
    if row.variant not in study.variants and row.variant != MEAN_POSE:
        raise ConfigError(f"{what}: its variant '{row.variant}' is no row of this scale")
    boxes = study.scale.evaluation.boxes if row.boxes == "gt" else row.boxes
    seeds = study.variants[row.variant].seeds if row.variant in study.variants else 1
    return Asked(row.variant, tuple(range(seeds)), boxes, cell)


def _run(judge: Judge, asked: Asked, seed: int) -> Run:
    links = judge.chain(asked.variant, seed, asked.boxes)
    value = None
    if links[0].state != "missing":
        value = _metrics(judge, asked, seed, links[0]).total
    return Run(seed, value, whole(links), links)


def _guest(judge: Judge, name: str, guest: Guest) -> Run:
    """Judges a guest, whose chain ends at its own files."""
    files = guest_folder(name, guest, judge.paths, EXPERIMENTS)
    link = judge.guest(name, digest_of(files))
    if link.state == "missing":
        return Run(0, None, "missing", [link])
    metrics = read_scored(link.file, judge.paths.guest(name, "evidence.npz")).metrics
    return Run(0, metrics.total, link.state, [link])


def _metrics(judge: Judge, asked: Asked, seed: int, link: Link) -> Metrics:
    """Reads what was measured, and its evidence too unless that is known to be another one's."""
    if "evidence" in link.inputs:
        return records.read(Metrics, link.file)
    evidence = judge.paths.evidence(asked.variant, str(seed), asked.boxes)
    return read_scored(link.file, evidence).metrics


def _answer(
    what: str, asked: Asked, study: Study, paths: Paths, found: Sequence[Run]
) -> dict[str, Any]:
    """Gathers everything that is known, in the form of the JSON file."""
    values = [run.value for run in found if run.value is not None]
    links = [link for run in found for link in run.links]
    shown = None
    if asked.cell is not None:
        shown = _shown(asked.cell, paths)
    return {
        "what": what,
        "variant": asked.variant,
        "boxes": asked.boxes,
        "metric": study.scale.dataset.metric,
        "value": mean(values) if values else None,
        "sd": stdev(values) if len(values) > 1 else None,
        "shown": shown,
        "state": together(run.state for run in found),
        "changed": {
            "files": sorted({file for link in links for file in link.code}),
            "keys": sorted({key for link in links for key in link.keys}),
            "inputs": sorted({f"{link.name}: {one}" for link in links for one in link.inputs}),
        },
        "configuration": parent_difference(study, asked.variant),
        "runs": [_as_json(run) for run in found],
    }


def _shown(cell: tuple[Table, Row], paths: Paths) -> str | None:
    """Reads the cell from the table's file; gives None if there is no such file or row."""
    table, row = cell
    sheet = next((sheet for sheet in SHEETS if sheet.stem == f"table-{table.name}"), None)
    if sheet is None or not sheet.file(paths).is_file():
        return None
    return next((plain(one.ours) for one in sheet.read(paths) if one.row == row.row), None)


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "seed": run.seed,
        "value": run.value,
        "state": run.state,
        "chain": [
            {
                "link": link.name,
                "file": str(link.file),
                "state": link.state,
                "changed": {
                    "files": list(link.code),
                    "keys": list(link.keys),
                    "inputs": list(link.inputs),
                },
                "since": link.since,
                "words": link.words,
                "proof": link.proof.model_dump(mode="json") if link.proof else None,
                "record": {k: v for k, v in link.record.items() if k in RECORDED},
            }
            for link in run.links
        ],
    }


# Keys of a link's record that the JSON file repeats. The code is left out: what changed in it is
# listed already.
RECORDED = (
    *("seed", "commit", "dirty", "config_digest", "data_digest", "inputs", "input_digests"),
    *(
        "code_digest",
        "device",
        "card",
        "driver",
        "ranks",
        "job",
        "node",
        "kernels",
        "precision",
        "machine",
        "vector_extensions",
    ),
    *("versions", "lock_digest", "compiler", "steps", "seconds", "dirty_reason"),
)


def _command(state: State, found: Sequence[Run], scale: str, root: str) -> str:
    """Gives the command that makes everything current again; empty if it is current."""
    if state == "current":
        return ""
    trained = [link for run in found for link in run.links if link.name.startswith(("tr", "b"))]
    keys = [f"scale={scale}"] if scale != "desk" else []
    keys += [f"root={shlex.quote(root)}"] if root else []
    # The workflow trains again for newer code only if it is told so.
    keys += (
        ["stale=retrain"] if any(link.state == "stale" and link.code for link in trained) else []
    )
    return "snakemake --cores all" + (f" --config {' '.join(keys)}" if keys else "")
