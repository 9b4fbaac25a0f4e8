"""The numbers of a report for programs: every row, every conclusion, the user's own variants."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from tips.config import CAPACITY_CONTROL, Scale, digest
from tips.evaluation.metrics import Metrics
from tips.provenance import file_digest, shown_commit
from tips.records import read
from tips.tables import runs
from tips.tables.cells import Value, known
from tips.tables.claims import CLAIMS, ClaimRow
from tips.tables.compared import Gain, group_of
from tips.tables.contents import SHEETS
from tips.tables.guest_rows import GUESTS, GuestLine
from tips.tables.own_variants import BESIDE, OwnRow
from tips.tables.runs import Group
from tips.tables.same_variant import SAME_VARIANT
from tips.tables.sheet import Page
from tips.tables.sources import Provenance, read_if_present
from tips.tables.study_numbers import FORMAT

# What a scale says beside the task: names, rows and seeds, and how much is drawn and timed.
BESIDE_THE_TASK: Final = {
    *("name", "note", "contract", "seeds", "rows", "without", "variants", "group_counts"),
    *("pictures", "speed_repeats", "features", "checkpointing", "interim"),
}


def numbers(page: Page) -> dict[str, Any]:
    """Gathers what numbers.json holds: numbers as the tables round them, no time and no path.

    `rows` are the variants on one source of boxes each, with the total of every seed in percent,
    the sha256 of its predictions, the gains over each baseline of a table in points, and digests of
    the configuration and code of its trainings. `conclusions` are the paper's, as the report judges
    them. `own` are the user's own variants beside the rows that they are compared with. `guests`
    are scored on the same frames, and no other number depends on them. `made` says on what machines
    and with what versions. A number that is unknown is null.

    Args:
        page: the rows of all tables, and the study.

    Raises:
        RecordError: the metrics or the record of a run are malformed.
    """
    manifest = page.paths.manifest
    records = _records(page)
    return {
        "format": FORMAT,
        "scale": page.study.scale.name,
        "dataset": page.paths.dataset,
        "metric": page.study.scale.dataset.metric,
        "sequences": page.row(SAME_VARIANT).sequences,
        "task": task(page.study.scale),
        "data": file_digest(manifest) if manifest.is_file() else "",
        "annotations": file_digest(page.paths.annotations("val")),
        "made": _made(records),
        "rows": _rows(page, records),
        "conclusions": [_conclusion(row) for row in page.of(CLAIMS)],
        "own": [_own(row) for row in page.of(BESIDE)],
        "guests": [_guest(row) for row in page.of(GUESTS)],
    }


def task(scale: Scale) -> str:
    """Digests what a scale's numbers mean: its data, evaluation and schedule.

    Two studies whose scales differ in names, rows or seeds alone have the same task.
    """
    told = scale.model_dump(mode="json", exclude=BESIDE_THE_TASK)
    told["dataset"].pop("root", None)
    return digest(told)


def _records(page: Page) -> dict[tuple[str, int], Provenance]:
    """Reads the records of all trainings, by variant and seed."""
    found = {}
    for name, variant in page.study.variants.items():
        for seed in range(variant.seeds):
            file = page.paths.run(name, str(seed)) / "provenance.json"
            record = read_if_present(Provenance, file)
            if record is not None:
                found[name, seed] = record
    return found


def _made(records: Mapping[tuple[str, int], Provenance]) -> list[dict[str, Any]]:
    """Counts the trainings by what they were made with, the most frequent first."""
    counts = Counter(tuple(_facts(record).items()) for record in records.values())
    return [
        {"trainings": count, "facts": dict(facts)}
        for facts, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]


def _facts(record: Provenance) -> dict[str, str]:
    return {
        "commit": shown_commit(record.commit, record.dirty, digits=12),
        "device": record.device,
        **({"card": f"{record.ranks} x {record.card}"} if record.card else {}),
        **({"driver": record.driver} if record.driver else {}),
        "precision": record.precision,
        "kernels": record.kernels,
        "machine": record.machine,
        "vector extensions": " ".join(record.vector_extensions),
        "compiler": record.compiler,
        **record.versions,
    }


def _rows(page: Page, records: Mapping[tuple[str, int], Provenance]) -> list[dict[str, Any]]:
    gains = _gains(page)
    wanted = runs.wanted(page.study, page.tables)
    found = [file for file in runs.find(wanted, page.paths, judge=None) if file.state == "present"]
    measured = {(file.group, file.seed): read(Metrics, file.metrics) for file in found}
    rows = []
    for group in wanted:
        own = {str(seed): one for (owner, seed), one in measured.items() if owner == group}
        trained = [records[run] for run in records if run[0] == group.variant]
        rows.append(
            {
                "variant": group.variant,
                "boxes": group.boxes,
                "seeds": {seed: _rounded(one.total) for seed, one in own.items()},
                "predictions": {seed: one.inputs["predictions"] for seed, one in own.items()},
                "gains": gains.get(group, {}),
                "configuration": sorted({one.config_digest for one in trained}),
                "code": sorted({one.code_digest for one in trained}),
            }
        )
    return rows


def _gains(page: Page) -> dict[Group, dict[str, dict[str, Any]]]:
    """Gives the gains of every group that the tables show, by the baseline."""
    usual = page.study.scale.evaluation.boxes
    places = {
        (f"table-{table.name}", row.row): group_of(row, page.study)
        for table in page.tables.tables
        for row in table.rows
    }
    found: dict[Group, dict[str, dict[str, Any]]] = {}
    for sheet in SHEETS:
        for line in page.of(sheet) if sheet.compares else ():
            group = places.get((sheet.stem, line.row), Group(line.variant, usual))
            for over, gain in ((line.baseline, line.gain), (CAPACITY_CONTROL, line.wide)):
                if group is not None and known(gain.value):
                    found.setdefault(group, {})[over] = _gain(gain)
    return found


def _gain(gain: Gain) -> dict[str, Any]:
    return {
        "gain": _number(gain.value),
        "low": _number(gain.low),
        "high": _number(gain.high),
        "verdict": gain.verdict,
    }


def _conclusion(row: ClaimRow) -> dict[str, Any]:
    return {
        "claim": row.claim,
        "table": row.table_roman,
        "rows": [row.row, row.than],
        "part": row.part or None,
        "expects": row.expects,
        "margin": row.margin,
        "p_adjusted": _number(row.p_adjusted),
        **_gain(row.gain),
    }


def _guest(row: GuestLine) -> dict[str, Any]:
    return {
        "guest": row.row,
        "made": row.made,
        "total": _number(row.ours),
        "lacking": row.lacking,
        "gains": {row.baseline: _gain(row.gain), CAPACITY_CONTROL: _gain(row.wide)},
        "full_model_over_it": _gain(row.tips),
    }


def _own(row: OwnRow) -> dict[str, Any]:
    return {
        "variant": row.variant,
        "extends": row.parent or None,
        "changes": row.changes.split("; ") if row.changes else [],
        "than": row.than or None,
        "expects": row.expects or None,
        "expected": row.expected or None,
        "margin": row.margin,
        "p_adjusted": _number(row.p_adjusted),
        "smallest": _number(row.smallest),
        "decides": row.decides or None,
        "seeds": row.n_seeds,
        "parameters": _number(row.parameters),
        "seconds": _number(row.seconds),
        **_gain(row.gain),
    }


def _number(value: Value) -> float | None:
    return value if known(value) else None


def _rounded(total: float | None) -> float | None:
    return None if total is None else round(total, 2)
