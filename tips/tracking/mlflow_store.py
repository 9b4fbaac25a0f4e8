"""An open MLflow database with one experiment in it: what is written into it, in MLflow's form."""

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tips.records import RecordError, atomic_path
from tips.safe_text import cut, one_line
from tips.tracking import database as files
from tips.tracking.artifacts import Artifacts, Beside, Uploaded

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

ARTIFACTS: Final = "mlflow-artifacts"  # a folder beside the database, and the scheme of addresses
KEY: Final = "tips.run_key"
VARIANT, SEED = "tips.variant", "tips.seed"
LAYOUT: Final = "2"  # what this version writes of a run; another one's runs are written anew
LAYOUT_TAG: Final = "tips.layout"
OWNER_TAG: Final = "tips.owner"  # of an experiment on a server: which folder's runs it has
FIRST_TAGS: Final = {  # an experiment has these from the start, and keeps what a user makes of them
    "mlflow.experimentKind": "custom_model_development",
    "mlflow.experiment.primaryMetric.name": "total",
    "mlflow.experiment.primaryMetric.greaterIsBetter": "true",
}
BATCH: Final = 1000  # MLflow takes this many metrics in one call, and 100 parameters or tags
LIMITS: Final = {"params": 100, "tags": 100, "metrics": BATCH}
NAME: Final = 250  # characters of a name that MLflow takes
TEXT: Final = 6000  # characters of a parameter or a tag


class Store(NamedTuple):
    """An open database and the experiment in it."""

    client: "MlflowClient"
    experiment: str
    artifacts: Artifacts
    database: Path | None  # the local one; None: a server's

    def living(self) -> set[str]:
        """Lists the ids of all runs of a local database but those of ours that were removed."""
        return set() if self.database is None else files.living(self.database)

    def known(self) -> dict[tuple[str, str], Any]:
        """Gives our active runs by (variant, seed); the seed of a parent is "".

        A user may have runs in the same experiment. They lack our tag, and nothing touches them.
        """
        found: dict[tuple[str, str], Any] = {}
        token = None
        while True:
            page = self.client.search_runs([self.experiment], max_results=500, page_token=token)
            for run in page:
                if files.KIND not in run.data.tags:
                    continue
                name = run.data.tags.get(VARIANT, ""), run.data.tags.get(SEED, "")
                if name in found:  # a writer was killed before it ended the replaced run
                    self.remove(run)
                else:
                    found[name] = run
            token = page.token
            if not token:
                return found

    def start(self, name: str, time: int, tags: Mapping[str, str]) -> str:
        """Begins a run at a time, ms. Without tags from its first moment it would be a user's."""
        own = legal(tags)
        run = self.client.create_run(self.experiment, start_time=time, tags=own, run_name=name)
        return str(run.info.run_id)

    def finish(self, run: str, time: int, key: str, old: Any) -> None:
        """Ends a run, marks it complete, as the last step, and removes the one it replaces."""
        self.client.set_terminated(run, "FINISHED", end_time=time)
        self.client.set_tag(run, KEY, key)
        if old is not None:
            self.remove(old)

    def remove(self, run: Any) -> None:
        """Removes a run of ours with its copies."""
        self.client.delete_run(run.info.run_id)
        self.artifacts.remove(run.info.run_id)

    def write(
        self,
        run: str,
        params: Mapping[str, str] | None = None,
        metrics: Sequence[tuple[str, float, int]] = (),
        at: int = 0,
    ) -> None:
        """Writes parameters, and metrics with their steps, measured at a time, ms."""
        from mlflow.entities import Metric, Param

        entities: dict[str, list[Any]] = {
            "params": [Param(name, value) for name, value in legal(params or {}).items()],
            "metrics": [Metric(legal_name(name), value, at, step) for name, value, step in metrics],
        }
        for kind, rows in entities.items():
            for start in range(0, len(rows), LIMITS[kind]):
                self.client.log_batch(run, **{kind: rows[start : start + LIMITS[kind]]})

    def name_data(self, run: str, name: str, digest: str) -> None:
        """Names the dataset of a run, for the column Dataset of the pages."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        if name and digest:
            whole = json.dumps({"sha256 of the manifest": digest})
            dataset = Dataset(name, digest[:12], source_type="local", source=name, profile=whole)
            used = DatasetInput(dataset, [InputTag("mlflow.data.context", "train")])
            self.client.log_inputs(run, [used])

    def retag(self, run: Any, tags: Mapping[str, str], stale: re.Pattern[str]) -> None:
        """Brings tags of a kept run up to date; those of a pattern that are not given go."""
        have, wanted = run.data.tags, legal(tags)
        for name in have:
            if stale.fullmatch(name) and name not in wanted:
                self.client.delete_tag(run.info.run_id, name)
        for name, value in wanted.items():
            if have.get(name) != value:
                self.client.set_tag(run.info.run_id, name, value)

    def retag_experiment(self, tags: Mapping[str, str], stale: re.Pattern[str]) -> None:
        """Brings the experiment's tags up to date, as `retag` does; first ones stay as they are."""
        have = self.client.get_experiment(self.experiment).tags
        for name in have:
            if stale.fullmatch(name) and name not in tags:
                self.client.delete_experiment_tag(self.experiment, name)
        first = {name: value for name, value in FIRST_TAGS.items() if name not in have}
        for name, value in {**first, **tags}.items():
            if have.get(name) != value:
                self.client.set_experiment_tag(self.experiment, name, value)


@contextmanager
def opened(database: Path, experiment: str) -> Iterator[Store]:
    """Opens the database for this process alone, and makes the experiment if it does not exist."""
    with files.locked(database):
        files.prepare(database)
        files.prepare_folder(database.parent / ARTIFACTS)
        client = files.connect(database)
        made = _experiment(client, experiment, f"{ARTIFACTS}:/")
        yield Store(client, made, Beside(database.parent / ARTIFACTS), database)
        files.close(client)


@contextmanager
def opened_server(address: str, experiment: str, database: Path) -> Iterator[Store]:
    """Opens a server's database, and makes the experiment if it does not exist.

    Args:
        address: the server's, http or https.
        experiment: the name of the experiment.
        database: the study's own sqlite file, whose lock keeps other writers of the study away.

    Raises:
        RecordError: the server does not answer, or refuses; or the experiment is another study's,
            whose runs would be taken for runs of this one that are gone.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # seconds, and not minutes
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    with files.locked(database):
        client = files.connect(address)
        from mlflow.exceptions import MlflowException

        try:
            made = _experiment(client, experiment, None)
            _claim(client, made, experiment, database.with_suffix(".id"))
            yield Store(client, made, Uploaded(client), None)
        except MlflowException as error:
            said = one_line(str(error), 300)
            raise RecordError(
                f"MLFLOW_TRACKING_URI {address}: {said}; start the server, or unset the variable"
            ) from error


def _claim(client: "MlflowClient", experiment: str, name: str, file: Path) -> None:
    """Notes on a server whose an experiment is, by a file beside the study's database."""
    if not file.is_file():
        with atomic_path(file) as temporary:
            temporary.write_text(uuid.uuid4().hex, encoding="ascii")
    own = one_line(file.read_text(encoding="ascii", errors="replace"), 32)
    owner = client.get_experiment(experiment).tags.get(OWNER_TAG)
    if owner not in (None, own):
        raise RecordError(
            f"MLFLOW_TRACKING_URI: the experiment '{name}' there was written from another folder; "
            "choose a name with MLFLOW_EXPERIMENT_NAME"
        )
    client.set_experiment_tag(experiment, OWNER_TAG, own)


def _experiment(client: "MlflowClient", name: str, artifacts: str | None) -> str:
    """Finds an experiment, or makes it; a deleted one comes back."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return str(client.create_experiment(name, artifact_location=artifacts))
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return str(found.experiment_id)


def legal_name(name: str) -> str:
    """Writes a name so that MLflow takes it: letters, digits and -_. in parts between slashes."""
    parts = re.sub(r"[^\w\-. /]", "_", name).split("/")
    kept = "/".join("_" if part in ("", ".", "..") else part for part in parts)
    return cut(kept, NAME, "...")


def legal(texts: Mapping[str, str]) -> dict[str, str]:
    """Writes names and values so that MLflow takes them."""
    return {legal_name(name): one_line(value, TEXT) for name, value in texts.items()}
