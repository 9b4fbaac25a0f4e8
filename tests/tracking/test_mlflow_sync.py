import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tips.tracking import mlflow_sync, store
from tips.tracking.mlflow_sync import Counts, Told, links, sync
from tips.tracking.numbers import FIRST
from tips.tracking.run_files import read_runs
from tips.tracking.store import Store, opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.filterwarnings("default::FutureWarning"),
]
STEPS = 7
TAGS = {"full": {"table.II": "e", "table.VI": "5"}}


def make_run(root: Path, variant: str, seed: int, total: float = 50.0) -> Path:
    folder = root / variant / f"seed-{seed}"
    folder.mkdir(parents=True)
    metrics = {"total": total, "columns": {"Head": 61.5, "Wrist": None}, "seed": seed}
    metrics["subsets"] = {"clean": 60.0, "hidden": 10.0}
    (folder / "metrics.json").write_text(json.dumps(metrics))
    provenance = {
        "meaning": {"model": variant, "window": [-1, 0, 1], "losses": {"heatmap": 1.0}},
        "commit": "abc",
        "dirty": False,
        "machine": "a machine",
        "dataset": "toy",
        "data_digest": "0123456789abcdef",
        "seconds": 12.5,
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    lines = [
        {"step": s, "epoch": 0, "rate": 1e-3, "terms": {"heatmap": 9.0 - s}, "total": 9.0 - s}
        for s in range(STEPS)
    ]
    (folder / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "checkpoint.pt").write_bytes(b"0" * 1_000_001)
    return folder


@pytest.fixture
def runs(tmp_path: Path, blank: Path) -> Path:
    root = tmp_path / "results/runs/toy"
    root.mkdir(parents=True)
    shutil.copyfile(blank, tmp_path / "results/mlflow.db")
    make_run(root, "full", 0, 50)
    make_run(root, "full", 1, 54)
    make_run(root, "hrnet", 0, 40)
    return root


@pytest.fixture
def again(tmp_path: Path, runs: Path) -> Callable[[], Counts]:
    return lambda: sync(tmp_path / "results/mlflow.db", "test toy", read_runs(runs), Told(TAGS))


def rows(database: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


OF_VARIANT = "lifecycle_stage = 'active' AND name != 'study'"
ACTIVE = "SELECT count(*) FROM runs WHERE lifecycle_stage = 'active'"
POINTS = """SELECT count(*) FROM metrics m JOIN runs r ON m.run_uuid = r.run_uuid
            WHERE r.lifecycle_stage = 'active' AND m.key = 'train/heatmap'"""


def test_counts_twice_is_once_and_rebuild(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    database = tmp_path / "results/mlflow.db"
    assert again() == Counts(3, 0, 0)
    for _ in range(2):
        assert rows(database, ACTIVE) == [(6,)]  # three children, two parents, the study
        assert rows(database, POINTS) == [(3 * STEPS,)]
        assert rows(database, "SELECT count(*) FROM runs WHERE experiment_id = 0") == [(0,)]
        assert again() == Counts(0, 3, 0)
    with opened(database, "test toy") as store:
        known = store.known()
    parent, child = known["full", ""], known["full", "1"]
    assert parent.data.metrics["total"] == 52
    assert parent.data.metrics["various/sd total"] == 2.83
    assert parent.data.metrics["clean"] == 60
    assert parent.data.tags["table.II"] == "e"
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.params == {"model": "full", "seed": "1"}  # all others are equal
    assert child.data.metrics["various/columns/Head"] == 61.5
    assert "various/columns/Wrist" not in child.data.metrics
    assert child.data.tags["provenance.machine"] == "a machine"
    assert str(tmp_path) not in child.info.artifact_uri
    assert child.info.end_time - child.info.start_time == 12500
    for run in (parent, child):
        assert run.inputs.dataset_inputs[0].dataset.digest == "0123456789ab"
    copies = tmp_path / "results/mlflow-artifacts" / child.info.run_id / "artifacts"
    assert sorted(path.name for path in copies.iterdir()) == [
        "metrics.json",
        "provenance.json",
        "train.jsonl",
    ]
    common = tmp_path / "results/mlflow-artifacts" / known["", ""].info.run_id / "artifacts"
    assert json.loads((common / "common.json").read_text()) == {
        "losses.heatmap": "1.0",
        "window": "[-1, 0, 1]",
    }


def test_moved_folder_and_deleted_database(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    again()
    before = rows(tmp_path / "results/mlflow.db", POINTS)
    moved = (tmp_path / "results").rename(tmp_path / "elsewhere")
    assert (
        sync(moved / "mlflow.db", "test toy", read_runs(moved / "runs/toy"), Told(TAGS)).kept == 3
    )
    with opened(moved / "mlflow.db", "test toy") as store:
        for run in store.known().values():
            assert "results" not in run.info.artifact_uri
    bare = moved.rename(tmp_path / "bare")
    (bare / "mlflow.db").unlink()
    assert (
        sync(bare / "mlflow.db", "test toy", read_runs(bare / "runs/toy"), Told(TAGS)).written == 3
    )
    assert rows(bare / "mlflow.db", POINTS) == before


def test_changed_run_replaces_its_child_and_deleted_one_goes(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    database = tmp_path / "results/mlflow.db"
    again()
    shutil.rmtree(runs / "full/seed-1")
    make_run(runs, "full", 1, total=60)
    shutil.rmtree(runs / "hrnet")
    assert again() == Counts(1, 1, 1)
    assert rows(database, ACTIVE) == [(4,)]
    with opened(database, "test toy") as store:
        known = store.known()
    assert known["full", ""].data.metrics["total"] == 55
    assert {run.data.tags["mlflow.parentRunId"] for (_, s), run in known.items() if s} == {
        known["full", ""].info.run_id
    }
    copies = {path.parent.name for path in tmp_path.glob("results/mlflow-artifacts/*/artifacts")}
    with_files = {run.info.run_id for (name, seed), run in known.items() if seed or not name}
    assert copies == with_files  # the parents have none here
    assert again() == Counts(0, 2, 0)


@pytest.mark.parametrize("place", ["test toy", "Default", "mine"])
def test_a_user_s_own_runs_stay_with_their_artifacts(
    tmp_path: Path, runs: Path, again: Callable[[], Counts], place: str
) -> None:
    database = tmp_path / "results/mlflow.db"
    again()
    with opened(database, "test toy") as store:
        found = store.client.get_experiment_by_name(place)
        own = found.experiment_id if found else store.client.create_experiment(place)
        mine = [store.client.create_run(own, tags={"tips.variant": "full"}) for _ in range(3)]
        copies = [store.artifacts / run.info.run_id / "artifacts/mine.txt" for run in mine]
        store.client.delete_run(mine[-1].info.run_id)
    for copy in copies:
        copy.parent.mkdir(parents=True)
        copy.write_text("mine")
    shutil.rmtree(runs / "hrnet")
    assert again() == Counts(0, 2, 1)
    assert rows(database, ACTIVE) == [(6,)]  # two of the user, two children, parent, study
    assert all(copy.read_text() == "mine" for copy in copies)
    assert not list(database.parent.glob("mlflow-broken*"))


def test_killed_while_it_begins_a_run_leaves_none_without_tags(
    tmp_path: Path, again: Callable[[], Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Store, "write", dies)
        with pytest.raises(KeyboardInterrupt):
            again()
    assert again() == Counts(3, 0, 0)
    assert rows(tmp_path / "results/mlflow.db", ACTIVE) == [(6,)]


def test_writer_killed_half_way_is_mended(
    tmp_path: Path, again: Callable[[], Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = Store.finish
    calls = []

    def dies(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        finish(*arguments)

    monkeypatch.setattr(Store, "finish", dies)
    with pytest.raises(KeyboardInterrupt):
        again()
    monkeypatch.setattr(Store, "finish", finish)
    again()
    database = tmp_path / "results/mlflow.db"
    assert rows(database, ACTIVE) == [(6,)]
    assert rows(database, POINTS) == [(3 * STEPS,)]


def test_tables_name_a_variant_only_now(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    again()
    database = tmp_path / "results/mlflow.db"
    tags = {"hrnet": {"table.II": "HRNet"}}
    assert sync(database, "test toy", read_runs(runs), Told(tags)) == Counts(0, 3, 0)
    with opened(database, "test toy") as store:
        known = store.known()
    assert known["hrnet", "0"].data.tags["table.II"] == "HRNet"
    assert "table.II" not in known["full", ""].data.tags


def test_an_origin_is_brought_up_to_date_and_goes_with_the_row(tmp_path: Path, runs: Path) -> None:
    database = tmp_path / "results/mlflow.db"

    def origins(tags: dict[str, dict[str, str]]) -> set[str | None]:
        sync(database, "test toy", read_runs(runs), Told(tags))
        with opened(database, "test toy") as store:
            known = store.known()
        assert "tips.origin" not in known["full", ""].data.tags
        return {known["hrnet", seed].data.tags.get("tips.origin") for seed in ("", "0")}

    assert origins({"hrnet": {"tips.origin": "ours"}}) == {"ours"}
    assert origins({"hrnet": {"tips.origin": "re-implemented"}}) == {"re-implemented"}
    assert origins({}) == {None}


def test_two_experiments_share_a_database(tmp_path: Path, runs: Path) -> None:
    database = tmp_path / "results/mlflow.db"
    sync(database, "one", read_runs(runs), Told())
    sync(database, "two", read_runs(runs), Told())
    count = "SELECT experiment_id, count(*) FROM runs GROUP BY experiment_id ORDER BY 1"
    assert rows(database, count) == [(2, 6), (3, 6)]


def test_runs_on_their_way_are_left_out(runs: Path) -> None:
    (runs / "hrnet/seed-0/metrics.json").unlink()
    assert [(run.variant, run.seed) for run in read_runs(runs)] == [("full", 0), ("full", 1)]


def test_importing_needs_neither_torch_nor_mlflow() -> None:
    code = (
        "import sys, tips.stages.track, tips.stages.ui; "
        "sys.exit(bool({'torch', 'mlflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
    assert tags[store.LAYOUT_TAG] == store.LAYOUT


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
