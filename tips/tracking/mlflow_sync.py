"""Writes run folders into an MLflow database, which only shows what the folders hold.

Training never imports mlflow. One process writes at a time. A run has the tag `tips.run_key`, which
changes with its files, so that nothing is written twice. Artifacts have the address
mlflow-artifacts:/ without a path: the database and its folder can be moved.
"""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

from tips.safe_text import cut, one_line
from tips.temporaries import discard
from tips.tracking import database as files
from tips.tracking.run_files import ORIGIN, RunFiles

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ARTIFACTS: Final = "mlflow-artifacts"  # a folder beside the database, and the scheme of addresses
KEY: Final = "tips.run_key"
KIND: Final = files.KIND
MARK: Final = "by-tips"  # a file in the folder of a run of ours; only such folders are removed
PARENT: Final = "mlflow.parentRunId"
BATCH: Final = 1000  # MLflow takes this many metrics in one call, and 100 parameters or tags
LIMITS: Final = {"params": 100, "tags": 100, "metrics": BATCH}
NAME: Final = 250  # characters of a name that MLflow takes
TEXT: Final = 6000  # characters of a parameter or a tag


class Counts(NamedTuple):
    """How many children a sync wrote, kept and removed."""

    written: int
    kept: int
    removed: int


class Store(NamedTuple):
    """An open database and the experiment in it."""

    client: "MlflowClient"
    experiment: str
    artifacts: Path


def sync(
    database: Path,
    experiment: str,
    runs: Sequence[RunFiles],
    tags: Mapping[str, Mapping[str, str]],
    gains: Mapping[str, Mapping[str, float]] | None = None,
) -> Counts:
    """Brings one experiment of the database up to date with the run folders.

    A parent run per variant has the means over seeds, the deviations between them, and the gains of
    the tables. A child per seed has its numbers. A child whose files changed is replaced, and a run
    whose folder is gone is removed.

    Args:
        database: the sqlite file; it is made if it does not exist.
        experiment: the name of the experiment, one per scale and dataset.
        runs: every evaluated run, from `read_runs`.
        tags: the tags of each variant's parent and children, from `table_tags`.
        gains: the metrics of each variant's parent, from `table_gains`.

    Returns:
        How many children were written, kept and removed.
    """
    with opened(database, experiment) as store:
        known = _known(store)
        wanted = {(run.variant, str(run.seed)) for run in runs}
        removed = [run for name, run in known.items() if name[1] and name not in wanted]
        written = kept = 0
        variants = sorted({run.variant for run in runs})
        for variant in variants:
            mine = [run for run in runs if run.variant == variant]
            compared = (gains or {}).get(variant, {})
            parent = _parent(store, known, mine, dict(tags.get(variant, {})), compared)
            for run in mine:
                old = known.get((variant, str(run.seed)))
                fresh = _child(store, old, run, parent, dict(tags.get(variant, {})))
                written, kept = written + fresh, kept + (not fresh)
        gone = [run for (name, seed), run in known.items() if not seed and name not in variants]
        for run in [*removed, *gone]:
            _remove(store, run)
        _sweep(store.artifacts, files.living(database))
        return Counts(written, kept, len(removed))


@contextmanager
def opened(database: Path, experiment: str) -> Iterator[Store]:
    """Opens the database for this process alone, and makes the experiment if it does not exist."""
    with files.locked(database):
        files.prepare(database)
        files.prepare_folder(database.parent / ARTIFACTS)
        client = files.connect(database)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            made = client.create_experiment(experiment, artifact_location=f"{ARTIFACTS}:/")
        else:
            made = found.experiment_id
            if found.lifecycle_stage == "deleted":
                client.restore_experiment(made)
        yield Store(client, made, database.parent / ARTIFACTS)
        files.close(client)


def _known(store: Store) -> dict[tuple[str, str], Any]:
    """Gives our active runs by (variant, seed); the seed of a parent is "".

    A user may have runs in the same experiment. They lack our tag, and nothing here touches them.
    """
    found: dict[tuple[str, str], Any] = {}
    token = None
    while True:
        page = store.client.search_runs([store.experiment], max_results=500, page_token=token)
        for run in page:
            if KIND not in run.data.tags:
                continue
            name = run.data.tags.get("tips.variant", ""), run.data.tags.get("tips.seed", "")
            if name in found:  # a writer was killed before it ended the replaced run
                _remove(store, run)
            else:
                found[name] = run
        token = page.token
        if not token:
            return found


def _parent(
    store: Store,
    known: Mapping[tuple[str, str], Any],
    runs: Sequence[RunFiles],
    tags: dict[str, str],
    gains: Mapping[str, float],
) -> str:
    """Writes the parent of a variant's runs unless it exists; returns its id."""
    variant = runs[0].variant
    counted = [run.counted for run in runs]
    key = " ".join([*(run.key for run in runs), json.dumps([counted, gains], sort_keys=True)])
    key = hashlib.sha256(key.encode()).hexdigest()
    old = known.get((variant, ""))
    if old is not None and _is_complete(old, key):
        _retag(store, old, tags)
        return str(old.info.run_id)
    names = {name for one in counted for name in one}
    values = {name: [one[name] for one in counted if name in one] for name in names}
    metrics = {name: fmean(found) for name, found in values.items()}
    metrics |= {f"sd/{name}": stdev(found) for name, found in values.items() if len(found) > 1}
    metrics |= {"seeds": float(sum("total" in one for one in counted))} | dict(gains)
    time = max(run.time for run in runs)
    own = {"tips.variant": variant, KIND: "variant"} | tags
    new = _start(store, variant, time, own)
    _log(
        store, new, params=runs[0].params, metrics=[(n, v, 0) for n, v in metrics.items()], at=time
    )
    _finish(store, new, time, key, old)
    return new


def _child(store: Store, old: Any, run: RunFiles, parent: str, tags: dict[str, str]) -> bool:
    """Writes one seed unless it exists; tells whether it was written."""
    tags = tags | {PARENT: parent}
    if old is not None and _is_complete(old, run.key) and _has_copies(store, old, run):
        _mark(store, old.info.run_id)
        _retag(store, old, tags)
        return False
    own = {"tips.variant": run.variant, "tips.seed": str(run.seed), KIND: "seed"}
    begin = max(0, run.time - run.duration)
    new = _start(store, f"{run.variant} seed {run.seed}", begin, own | run.tags | tags)
    _name_data(store, new, *run.data)
    metrics = [(name, value, 0) for name, value in run.metrics.items()]
    metrics += [(point.name, point.value, point.step) for point in run.curves]
    _log(store, new, params=run.params | {"seed": str(run.seed)}, metrics=metrics, at=run.time)
    _mark(store, new)
    for path in run.artifacts:
        copy = _artifacts(store, new) / path.relative_to(run.folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    _finish(store, new, run.time, run.key, old)
    return True


def _start(store: Store, name: str, time: int, tags: dict[str, str]) -> str:
    # In one step with its tags: without them it would be a user's own.
    own = _legal(tags)
    run = store.client.create_run(store.experiment, start_time=time, tags=own, run_name=name)
    return str(run.info.run_id)


def _name_data(store: Store, run: str, name: str, digest: str) -> None:
    """Names the dataset of a run, for the column Dataset of the pages."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    if name and digest:
        dataset = Dataset(name=name, digest=digest, source_type="local", source=name)
        used = DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])
        store.client.log_inputs(run, [used])


def _finish(store: Store, run: str, time: int, key: str, old: Any) -> None:
    """Ends a run, marks it complete, as the last step, and removes the one that it replaces."""
    store.client.set_terminated(run, "FINISHED", end_time=time)
    store.client.set_tag(run, KEY, key)
    if old is not None:
        _remove(store, old)


def _is_complete(run: Any, key: str) -> bool:
    """Tells whether a run was written to its end from files with this key."""
    return bool(run.info.status == "FINISHED" and run.data.tags.get(KEY) == key)


def _retag(store: Store, run: Any, tags: dict[str, str]) -> None:
    """Updates a kept run's parent and tables: a table may name its variant only since now."""
    have = run.data.tags
    ours = [name for name in have if name == ORIGIN or name.startswith("table.")]
    for name in [name for name in ours if name not in tags]:
        store.client.delete_tag(run.info.run_id, name)
    for name, value in tags.items():
        if have.get(name) != value:
            store.client.set_tag(run.info.run_id, name, value)


def _remove(store: Store, run: Any) -> None:
    """Removes a run of ours with its copies; no other name than an id's leads to a folder."""
    store.client.delete_run(run.info.run_id)
    if files.RUN.fullmatch(run.info.run_id):
        discard(store.artifacts / run.info.run_id)


def _sweep(artifacts: Path, living: Collection[str]) -> None:
    """Removes our folders of runs that the database does not have, as after it was deleted."""
    for folder in artifacts.glob("*"):
        if files.RUN.fullmatch(folder.name) and folder.name not in living and _is_ours(folder):
            discard(folder)


def _is_ours(folder: Path) -> bool:
    """Tells whether we made a folder, or could have, and were killed before it held anything."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    return (folder / MARK).is_file() or not any(folder.iterdir())


def _mark(store: Store, run: str) -> None:
    """Makes the folder of a run of ours."""
    folder = store.artifacts / run
    folder.mkdir(parents=True, exist_ok=True)
    if not os.path.lexists(folder / MARK):
        (folder / MARK).touch()


def _has_copies(store: Store, old: Any, run: RunFiles) -> bool:
    """Tells whether a kept run has the copies of its files, and no link among them."""
    copies = _artifacts(store, old.info.run_id)
    if any(path.is_symlink() for path in (copies.parent, copies, *copies.rglob("*"))):
        return False
    return all((copies / path.relative_to(run.folder)).is_file() for path in run.artifacts)


def _artifacts(store: Store, run: str) -> Path:
    """Gives the folder where the server looks for mlflow-artifacts:/{run}/artifacts."""
    return store.artifacts / run / "artifacts"


def _log(
    store: Store,
    run: str,
    params: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    metrics: Sequence[tuple[str, float, int]] = (),
    at: int = 0,
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    entities: dict[str, list[Any]] = {
        "params": [Param(name, value) for name, value in _legal(params or {}).items()],
        "tags": [RunTag(name, value) for name, value in _legal(tags or {}).items()],
        "metrics": [Metric(legal_name(name), value, at, step) for name, value, step in metrics],
    }
    for kind, rows in entities.items():
        for start in range(0, len(rows), LIMITS[kind]):
            store.client.log_batch(run, **{kind: rows[start : start + LIMITS[kind]]})


def legal_name(name: str) -> str:
    """Writes a name so that MLflow takes it: letters, digits and -_. in parts between slashes."""
    parts = re.sub(r"[^\w\-. /]", "_", name).split("/")
    kept = "/".join("_" if part in ("", ".", "..") else part for part in parts)
    return cut(kept, NAME, "...")


def _legal(texts: Mapping[str, str]) -> dict[str, str]:
    return {legal_name(name): one_line(value, TEXT) for name, value in texts.items()}


def links(database: Path, experiment: str) -> list[tuple[str, str]]:
    """Lists pages worth opening.

    Args:
        database: the sqlite file.
        experiment: the name of the experiment.

    Returns:
        For the list of runs, and for a comparison of all variants that fill a row of a table: what
        it is, and its address below the server's.
    """
    with opened(database, experiment) as store:
        parents = [
            run.info.run_id
            for (_, seed), run in sorted(_known(store).items())
            if not seed and any(tag.startswith("table.") for tag in run.data.tags)
        ]
        number = store.experiment
    runs = quote(json.dumps(parents, separators=(",", ":")))
    experiments = quote(json.dumps([number]))
    return [
        ("all runs, seeds folded under their variant", f"#/experiments/{number}/runs"),
        (
            f"comparison of the {len(parents)} variants of the tables",
            f"#/compare-runs?runs={runs}&experiments={experiments}",
        ),
    ]


def experiment_name(scale: str, dataset: str) -> str:
    """Gives the name of the MLflow experiment of one scale and dataset."""
    return f"{scale} {dataset}"
