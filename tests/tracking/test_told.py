"""What a study tells of its variants, in the database: tags, numbers, files, views."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_runs import ACTIVE, OF_VARIANT, make_run, rows

from tips.tracking import mlflow_store, mlflow_sync
from tips.tracking.mlflow_store import opened
from tips.tracking.mlflow_sync import Counts, Told, links, sync
from tips.tracking.run_files import read_runs
from tips.tracking.shown import FIRST

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.filterwarnings("default::FutureWarning"),
]

EVERYTHING = (
    "runs ORDER BY run_uuid",
    "tags ORDER BY run_uuid, key",
    "params ORDER BY run_uuid, key",
    "metrics ORDER BY run_uuid, key, step",
    "inputs ORDER BY input_uuid",
    "datasets ORDER BY dataset_uuid",
    "experiments ORDER BY experiment_id",
    "experiment_tags ORDER BY key",
)
TOLD = Told(
    {
        "full": {
            "tables": "II, VI",
            "table.II": "e",
            "verdict": "above",
            "tips.differs": "a: 1 -> 2",
        }
    },
    {"full": {"gain": 2.0, "low": 1.5, "high": 2.5, "various/over concat-wide/gain": -1.0}},
    {"full": {"why.json": b"{}"}, "": {"figures/gains.png": b"picture"}},
    "tips stage track --scale toy",
)


def test_a_second_sync_changes_no_row_and_no_file(tmp_path: Path, runs: Path) -> None:
    database, artifacts = tmp_path / "results/mlflow.db", tmp_path / "results/mlflow-artifacts"

    def everything() -> tuple[list[list[tuple]], dict[Path, int]]:
        found = [rows(database, f"SELECT * FROM {table}") for table in EVERYTHING]
        return found, {path: path.stat().st_mtime_ns for path in artifacts.rglob("*")}

    sync(database, "test toy", read_runs(runs), TOLD)
    before = everything()
    assert all(before[0])
    assert sync(database, "test toy", read_runs(runs), TOLD) == Counts(0, 3, 0)
    assert everything() == before


def test_what_a_study_tells_is_shown_and_goes(tmp_path: Path, runs: Path) -> None:
    database, artifacts = tmp_path / "results/mlflow.db", tmp_path / "results/mlflow-artifacts"

    def shown(told: Told) -> tuple[dict[str, dict[str, str]], set[str]]:
        sync(database, "test toy", read_runs(runs), told)
        with opened(database, "test toy") as found:
            known = found.known()
            tags = dict(found.client.get_experiment(found.experiment).tags)
        kept = {name[1]: run.data.tags for name, run in known.items() if name[0] == "full"}
        files = {path.name for path in artifacts.rglob("*.*")}
        own = "why.json", "gains.png"
        return {"": kept[""], "0": kept["0"], "experiment": tags}, files & {*own}

    tags, files = shown(TOLD)
    for seed in ("", "0"):
        assert TOLD.tags["full"].items() <= tags[seed].items()
    assert tags[""]["mlflow.source.name"] == TOLD.command
    assert tags["experiment"]["mlflow.experimentKind"] == "custom_model_development"
    assert "mlflow.sharedViewState.tips-table-VI" in tags["experiment"]
    assert files == {"why.json", "gains.png"}
    changed = TOLD.files | {"full": {"why.json": b"{1}"}, "": {}}
    tags, files = shown(TOLD._replace(tags={}, files=changed))
    for seed in ("", "0"):
        assert not TOLD.tags["full"].keys() & tags[seed].keys()
    assert "mlflow.sharedViewState.tips-table-VI" not in tags["experiment"]
    assert "mlflow.sharedViewState.tips-gains" in tags["experiment"]
    assert files == {"why.json"}
    (chain,) = artifacts.rglob("why.json")
    assert chain.read_bytes() == b"{1}"


def test_important_metrics_come_first_on_the_page_of_a_run(tmp_path: Path, runs: Path) -> None:
    """MLflow lists them as they were written."""
    database = tmp_path / "results/mlflow.db"
    sync(database, "test toy", read_runs(runs), TOLD)
    with opened(database, "test toy") as found:
        run = found.known()["full", ""]
        names = list(found.client.get_run(run.info.run_id).data.metrics)
    assert names[: len(names) - 5] == [name for name in FIRST if name != "degraded"]
    assert all(name.startswith("various/") for name in names[len(names) - 5 :])


def test_a_further_variant_adds_parameters_and_replaces_no_run(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    again()
    database = tmp_path / "results/mlflow.db"
    ids = set(rows(database, f"SELECT run_uuid FROM runs WHERE {OF_VARIANT}"))
    file = make_run(runs, "wide", 0) / "provenance.json"
    record = json.loads(file.read_text())
    record["meaning"]["window"] = [-2, -1, 0, 1, 2]
    file.write_text(json.dumps(record))
    assert again() == Counts(1, 3, 0)
    windows = rows(database, "SELECT run_uuid, value FROM params WHERE key = 'window'")
    assert len(windows) == 7  # of four children and three parents
    assert ids <= set(rows(database, f"SELECT run_uuid FROM runs WHERE {OF_VARIANT}"))


def test_runs_of_another_version_are_written_anew_with_a_word(
    tmp_path: Path,
    again: Callable[[], Counts],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(mlflow_sync, "LAYOUT", "1")
        again()
    with caplog.at_level("INFO", mlflow_sync.__name__):
        assert again() == Counts(3, 0, 0)
    (said,) = caplog.messages
    assert "its 6 runs were written by another version; they are written anew" in said
    assert rows(tmp_path / "results/mlflow.db", ACTIVE) == [(6,)]
    caplog.clear()
    with caplog.at_level("INFO", mlflow_sync.__name__):
        assert again() == Counts(0, 3, 0)
    assert caplog.messages == []


def test_what_a_user_made_of_the_experiment_stays(
    tmp_path: Path, again: Callable[[], Counts]
) -> None:
    again()
    mine = {"mlflow.experimentKind": "genai_development", "mlflow.sharedViewState.mine": "{}"}
    with opened(tmp_path / "results/mlflow.db", "test toy") as found:
        for name, value in mine.items():
            found.client.set_experiment_tag(found.experiment, name, value)
    again()
    with opened(tmp_path / "results/mlflow.db", "test toy") as found:
        tags = found.client.get_experiment(found.experiment).tags
    assert mine.items() <= tags.items()
    assert tags[mlflow_store.LAYOUT_TAG] == mlflow_store.LAYOUT


def test_a_parent_names_a_commit_only_if_all_seeds_are_of_it(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    def commit(seed: int, commit: str) -> None:
        file = runs / f"full/seed-{seed}/provenance.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"commit": commit}))

    def shown() -> str | None:
        again()
        with opened(tmp_path / "results/mlflow.db", "test toy") as found:
            tags: dict[str, str] = found.known()["full", ""].data.tags
        return tags.get("mlflow.source.git.commit")

    commit(0, "a" * 40)
    commit(1, "b" * 40)
    assert shown() is None
    commit(1, "a" * 40)
    assert shown() == "a" * 40


def test_links_open_the_views_of_the_tables_in_their_order(tmp_path: Path, runs: Path) -> None:
    database = tmp_path / "results/mlflow.db"
    sync(database, "test toy", read_runs(runs), TOLD)
    with opened(database, "test toy") as found:
        saved = found.client.get_experiment(found.experiment).tags
    shown = links(database, "test toy")
    assert [label for label, _ in shown][3:] == ["Table II", "Table VI"]
    for _, address in shown:
        (name,) = [part[18:] for part in address.split("?")[1].split("&") if "ShareKey" in part]
        assert address.startswith("#/experiments/1/runs?")
        assert f"mlflow.sharedViewState.{name}" in saved
