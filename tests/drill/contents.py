"""What a study has made, so that two of them can be compared."""

import hashlib
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from study import NAME

# These hold measured times, or pictures and pages of them. Only their being there is compared.
MEASURED: Final = re.compile(
    r".*/(benchmarks|logs)/.*|.*/speed\.json|.*/tables/table-6\..*|reports/.*(?<!/numbers\.json)"
)
# Who trains makes the features that it lacks by itself, so their rule may have nothing to do.
OF_RULES: Final = re.compile(r".*/(benchmarks|logs)/.*")
UNASKED: Final = "features"
TIMES: Final = re.compile(r"seconds|resumed_at|time|commit|dirty")  # keys of records


def contents(folder: Path) -> dict[str, str]:
    """Every file of a study, hidden ones too, by name: a digest of what must not differ."""
    found: dict[str, str] = {}
    for part in (f"results/{NAME}", f"reports/{NAME}", "results/cost"):
        for path in sorted((folder / part).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_file() and "/mlflow" not in name:
                found[name] = "" if MEASURED.fullmatch(name) else _digest(path)
    for mark in ("locks", "incomplete"):
        for path in (folder / ".snakemake" / mark).rglob("*"):
            found[f".snakemake/{mark}/{path.name}"] = "left"
    return found | dict(_database(folder / f"results/{NAME}/mlflow.db"))


def differences(whole: dict[str, str], killed: dict[str, str]) -> list[str]:
    """One line per difference."""
    return [
        *(
            f"missing: {name}"
            for name in sorted(whole.keys() - killed.keys())
            if not OF_RULES.fullmatch(name)
        ),
        *(f"left behind: {name}" for name in sorted(killed.keys() - whole.keys())),
        *(
            f"differs: {name}: {whole[name]} / {killed[name]}"
            for name in sorted(whole.keys() & killed.keys())
            if whole[name] != killed[name]
        ),
    ]


def _digest(path: Path) -> str:
    data = path.read_bytes()
    if path.suffix == ".json":
        value = json.loads(data)
        if path.name == "made.json":
            value["jobs"] = _by_output(value["jobs"])
        data = json.dumps(_timeless(value), sort_keys=True).encode()
    return hashlib.sha256(data).hexdigest()[:12]


def _by_output(jobs: list[dict[str, Any]]) -> dict[str, Any]:
    """Snakemake's record of every output. Equal jobs have one record only if they took as long."""
    found = {}
    for job in (one for one in jobs if one["rule"] != UNASKED):
        sums = job["input_checksums"].items()
        kept = {"input_checksums": {k: v for k, v in sums if not MEASURED.fullmatch(k)}}
        found |= dict.fromkeys(job["outputs"], job | kept | {"outputs": []})
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _timeless(part) for key, part in value.items() if not TIMES.fullmatch(key)}
    return [_timeless(part) for part in value] if isinstance(value, list) else value


def _database(path: Path) -> Iterator[tuple[str, str]]:
    """Runs of the MLflow database with their parameters, numbers, tags and artifacts."""
    if not path.is_file():
        return
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as base:
        runs = dict(
            base.execute("select run_uuid, name from runs where lifecycle_stage = 'active'")
        )
        yield "mlflow: runs", str(sorted(runs.values()))
        states = base.execute("select distinct status from runs where lifecycle_stage = 'active'")
        yield "mlflow: states", str(sorted(states))
        for run, name in runs.items():
            for table, columns in (
                ("params", "key, value"),
                ("metrics", "key, step, value"),
                ("tags", "key, value"),
            ):
                asked = f"select {columns} from {table} where run_uuid = ? order by 1, 2"
                for key, *values in base.execute(asked, (run,)):
                    if not _measured(key):
                        told = [runs.get(str(value), value) for value in values]
                        yield f"mlflow: {name}: {table}: {key} {told[:-1]}", str(told[-1])
            folder = path.with_name("mlflow-artifacts") / run
            for file in folder.rglob("*"):
                yield f"mlflow: {name}: artifact {file.relative_to(folder)}", ""
    known = set(runs)
    for folder in path.with_name("mlflow-artifacts").glob("*"):
        if folder.name not in known:
            yield f"mlflow: artifacts of no run: {folder.name}", ""


def _measured(key: str) -> bool:
    """Tells whether a value holds a time, or a digest of files that do."""
    last = key.rpartition(".")[2]
    # tips.times says whether the training was interrupted.
    return bool(TIMES.fullmatch(last)) or key in ("tips.run_key", "tips.times", "mlflow.runName")
