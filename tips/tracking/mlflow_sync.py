"""Writes run folders into an MLflow database, which only shows what the folders hold.

Training never imports mlflow. One process writes at a time. A run has the tag `tips.run_key`, which
changes with its files, so that nothing is written twice. Artifacts have the address
mlflow-artifacts:/ without a path: the database and its folder can be moved.
"""

import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, Final, NamedTuple

from tips.tables.cells import plain
from tips.tracking import database as files
from tips.tracking.mlflow_store import (
    KEY,
    LAYOUT,
    LAYOUT_TAG,
    SEED,
    VARIANT,
    Store,
    opened,
    opened_server,
)
from tips.tracking.run_files import CHECKOUT, TIMES, RunFiles
from tips.tracking.shown import OTHERS, TOTAL, flatten, ordered, varied
from tips.tracking.variants import OF_STUDY, TABLES
from tips.tracking.views import OURS, SAVED, views

log = logging.getLogger(__name__)
KIND: Final = files.KIND
PARENT: Final = "mlflow.parentRunId"
# The tags of a run that name its commit.
COMMIT: Final = (
    *("mlflow.source.git.commit", "mlflow.source.git.dirty"),
    *(f"tips.{name}" for name in CHECKOUT),
)
STUDY: Final = ("", "")  # the run that has the figures, and what all trainings have in common
TABLES_TAG: Final = "tips.tables"  # of an experiment; lists the tables that have a view
TITLE: Final = "study"
COMMON: Final = "common.json"
OWN_TAGS: Final = re.compile(rf"{re.escape(SAVED + OURS)}.*")  # of an experiment


class Counts(NamedTuple):
    """How many children a sync wrote, kept and removed."""

    written: int
    kept: int
    removed: int


class Told(NamedTuple):
    """What a study tells of its variants beside the run folders."""

    tags: Mapping[str, Mapping[str, str]] = {}  # of each variant's parent and children
    gains: Mapping[str, Mapping[str, float]] = {}  # metrics of each variant's parent
    files: Mapping[str, Mapping[str, bytes]] = {}  # artifacts of the parents; "": the study's
    command: str = ""  # what makes the parents


def sync(database: Path, experiment: str, runs: Sequence[RunFiles], told: Told) -> Counts:
    """Brings one experiment of the database up to date with the run folders.

    A parent run per variant has the means over seeds, the deviations between them, and the gains of
    the tables. A child per seed has its numbers. A child whose files changed is replaced, and a run
    whose folder is gone is removed. The run `study` has the figures.

    Args:
        database: the sqlite file; it is made if it does not exist.
        experiment: the name of the experiment, one per scale and dataset.
        runs: every evaluated run, from `read_runs`.
        told: what the study tells of its variants.

    Returns:
        How many children were written, kept and removed.
    """
    with opened(database, experiment) as store:
        return _synced(store, str(database), runs, told)


def sync_server(
    address: str, experiment: str, database: Path, runs: Sequence[RunFiles], told: Told
) -> Counts:
    """Does the same on a server of MLflow, with whatever database that has.

    Args:
        address: the server's, http or https.
        experiment: the name of the experiment, which nobody else may write.
        database: the study's own sqlite file, whose lock keeps other writers of this study away.
        runs: every evaluated run, from `read_runs`.
        told: what the study tells of its variants.

    Raises:
        RecordError: the server does not answer, or refuses.
    """
    with opened_server(address, experiment, database) as store:
        return _synced(store, address, runs, told)


def _synced(store: Store, where: str, runs: Sequence[RunFiles], told: Told) -> Counts:
    known = store.known()
    _announce(store, known, where)
    wanted = {(run.variant, str(run.seed)) for run in runs}
    removed = [run for name, run in known.items() if name[1] and name not in wanted]
    written = kept = 0
    variants = sorted({run.variant for run in runs})
    shown = varied([run.settings for run in runs])
    for variant in variants:
        mine = [run for run in runs if run.variant == variant]
        parent = _parent(store, known.get((variant, "")), mine, shown, told)
        for run in mine:
            old = known.get((variant, str(run.seed)))
            tags = dict(told.tags.get(variant, {})) | {PARENT: parent}
            fresh = _child(store, old, run, shown, tags)
            written, kept = written + fresh, kept + (not fresh)
    if runs:
        _study(store, known.get(STUDY), runs, shown, told)
    left = {STUDY, *((name, "") for name in variants)} if runs else set()
    gone = [run for name, run in known.items() if not name[1] and name not in left]
    for run in [*removed, *gone]:
        store.remove(run)
    store.artifacts.sweep(store.living())
    shown_tables = _tables(told.tags)
    saved = dict(view.tag for view in views(shown_tables))
    own = {LAYOUT_TAG: LAYOUT, TABLES_TAG: ", ".join(shown_tables)}
    store.retag_experiment(saved | own, OWN_TAGS)
    return Counts(written, kept, len(removed))


def _announce(store: Store, known: Mapping[tuple[str, str], Any], where: str) -> None:
    """Says so if another version wrote the runs, which are then all written anew."""
    before = store.client.get_experiment(store.experiment).tags.get(LAYOUT_TAG)
    if known and before != LAYOUT:
        log.info(
            "%s: its %d runs were written by another version; they are written anew from the run "
            "folders",
            *(where, len(known)),
        )


def _tables(tags: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Lists the tables that variants fill, in their order."""
    listed = (own[TABLES].split(", ") for own in tags.values() if own.get(TABLES))
    return list(dict.fromkeys(table for tables in listed for table in tables if table))


def _key(*parts: object) -> str:
    """Gives the key of a run that was made of these parts by this version."""
    return hashlib.sha256(json.dumps([LAYOUT, *parts], sort_keys=True).encode()).hexdigest()


def _params(run: RunFiles, shown: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in flatten(run.settings).items() if name in shown}


def _parent(
    store: Store, old: Any, runs: Sequence[RunFiles], shown: frozenset[str], told: Told
) -> str:
    """Writes the parent of a variant's runs unless it exists; returns its id."""
    variant = runs[0].variant
    tags, gains = told.tags.get(variant, {}), told.gains.get(variant, {})
    contents = told.files.get(variant, {})
    key = _key([run.key for run in runs], [run.counted for run in runs], gains)
    params = _params(runs[0], shown)
    if _is_complete(old, key):
        run = str(old.info.run_id)
        store.retag(old, tags, OF_STUDY)
        _add(store, old, params)
        store.artifacts.refresh(run, contents)
        return run
    start, end = min(run.start for run in runs), max(run.end for run in runs)
    own = {VARIANT: variant, KIND: "variant", **_source(runs, told.command), **tags}
    new = store.start(variant, start, own)
    for data in sorted({run.data for run in runs}):
        store.name_data(new, *data)
    metrics = [(name, value, 0) for name, value in ordered({**_means(runs), **gains})]
    store.write(new, params, metrics, at=end)
    store.artifacts.refresh(new, contents)
    store.finish(new, end, key, old)
    return new


def _means(runs: Sequence[RunFiles]) -> dict[str, float]:
    """Gives the means over the seeds that the tables count, deviations, and the seeds' number.

    They are rounded as the tables print them: MLflow shows all digits of a number.
    """
    counted = [run.counted for run in runs]
    names = {name for one in counted for name in one}
    values = {name: [one[name] for one in counted if name in one] for name in names}
    found = {name: float(plain(fmean(seeds))) for name, seeds in values.items()}
    for name, seeds in values.items():
        if name.endswith(TOTAL) and len(seeds) > 1:
            found[f"{OTHERS}/sd {name.removeprefix(f'{OTHERS}/')}"] = float(plain(stdev(seeds)))
    return found | {f"{OTHERS}/seeds": float(len(values.get(TOTAL, ())))}


def _source(runs: Sequence[RunFiles], command: str) -> dict[str, str]:
    """Gives the tags of a parent that name its source: a commit only if all seeds are of it."""
    found = {"mlflow.source.type": "LOCAL", "mlflow.source.name": command} if command else {}
    found[TIMES] = "from the start of the first seed's training to the end of the last one's"
    for name in COMMIT:
        values = {run.tags.get(name, "") for run in runs}
        if len(values) == 1 and values != {""}:
            found[name] = values.pop()
    return found


def _child(
    store: Store, old: Any, run: RunFiles, shown: frozenset[str], tags: dict[str, str]
) -> bool:
    """Writes one seed unless it exists; tells whether it was written."""
    key, files_of = _key(run.key), (run.folder, run.artifacts)
    params = _params(run, shown) | {"seed": str(run.seed)}
    if _is_complete(old, key) and store.artifacts.complete(old.info.run_id, *files_of):
        store.artifacts.mark(old.info.run_id)
        store.retag(old, tags, OF_STUDY)
        _add(store, old, params)
        return False
    own = {VARIANT: run.variant, SEED: str(run.seed), KIND: "seed"}
    new = store.start(f"{run.variant} seed {run.seed}", run.start, own | run.tags | tags)
    store.name_data(new, *run.data)
    metrics = [(name, value, 0) for name, value in ordered(run.metrics)]
    metrics += [(point.name, point.value, point.step) for point in run.curves]
    store.write(new, params, metrics, at=run.end)
    store.artifacts.copy(new, *files_of)
    store.finish(new, run.end, key, old)
    return True


def _study(
    store: Store, old: Any, runs: Sequence[RunFiles], shown: frozenset[str], told: Told
) -> None:
    """Writes the run with the figures, and with the settings that all trainings have in common."""
    common: dict[str, str] = {}
    for run in runs:
        common |= {k: v for k, v in flatten(run.settings).items() if k not in shown}
    text = json.dumps(common, indent=1, sort_keys=True, ensure_ascii=False)
    contents = {**told.files.get("", {}), COMMON: text.encode("utf-8", "backslashreplace")}
    start, end = min(run.start for run in runs), max(run.end for run in runs)
    key = _key(start, end)
    if _is_complete(old, key):
        store.artifacts.refresh(str(old.info.run_id), contents)
        return
    tags = {VARIANT: "", KIND: TITLE} | _source(runs, told.command)
    new = store.start(TITLE, start, tags)
    store.artifacts.refresh(new, contents)
    store.finish(new, end, key, old)


def _is_complete(run: Any, key: str) -> bool:
    """Tells whether there is a run that was written to its end from files with this key."""
    return bool(run is not None and run.info.status == "FINISHED" and run.data.tags.get(KEY) == key)


def _add(store: Store, run: Any, params: Mapping[str, str]) -> None:
    """Adds parameters that a kept run lacks: another variant may differ in them only since now."""
    missing = {name: value for name, value in params.items() if name not in run.data.params}
    store.write(run.info.run_id, missing)


def links(database: Path, experiment: str) -> list[tuple[str, str]]:
    """Lists the saved views.

    Args:
        database: the sqlite file.
        experiment: the name of the experiment.

    Returns:
        Of each view, what it shows and its address below the server's.
    """
    with opened(database, experiment) as store:
        tables = store.client.get_experiment(store.experiment).tags.get(TABLES_TAG, "")
        made = views(table for table in tables.split(", ") if table)
        return [(view.label, view.address(store.experiment)) for view in made]


def experiment_name(scale: str, dataset: str) -> str:
    """Gives the name of the MLflow experiment of one scale and dataset."""
    return f"{scale} {dataset}"
