import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tips.tables.published import Tables, load_tables
from tips.tracking import mlflow_sync
from tips.tracking.mlflow_sync import Counts, links, opened, sync
from tips.tracking.run_files import flatten, read_runs, table_tags

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
    (folder / "metrics.json").write_text(json.dumps(metrics))
    provenance = {
        "config": {"title": variant, "window": [-1, 0, 1], "losses": {"heatmap": 1.0}},
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
    return lambda: sync(tmp_path / "results/mlflow.db", "test toy", read_runs(runs), TAGS)


def rows(database: Path, query: str) -> list[tuple]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


ACTIVE = "SELECT count(*) FROM runs WHERE lifecycle_stage = 'active'"
POINTS = """SELECT count(*) FROM metrics m JOIN runs r ON m.run_uuid = r.run_uuid
            WHERE r.lifecycle_stage = 'active' AND m.key = 'train/heatmap'"""


def test_counts_twice_is_once_and_rebuild(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    database = tmp_path / "results/mlflow.db"
    assert again() == Counts(3, 0, 0)
    for _ in range(2):
        assert rows(database, ACTIVE) == [(5,)]  # two parents, three children
        assert rows(database, POINTS) == [(3 * STEPS,)]
        assert rows(database, "SELECT count(*) FROM runs WHERE experiment_id = 0") == [(0,)]
        assert again() == Counts(0, 3, 0)
    with opened(database, "test toy") as store:
        known = mlflow_sync._known(store)
    parent, child = known["full", ""], known["full", "1"]
    assert parent.data.metrics["total"] == 52
    assert parent.data.metrics["sd/total"] == pytest.approx(8**0.5)
    assert parent.data.tags["table.II"] == "e"
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.params["losses.heatmap"] == "1.0"
    assert child.data.params["window"] == "[-1, 0, 1]"
    assert child.data.metrics["columns/Head"] == 61.5
    assert "columns/Wrist" not in child.data.metrics
    assert child.data.tags["provenance.machine"] == "a machine"
    assert str(tmp_path) not in child.info.artifact_uri
    assert child.info.end_time - child.info.start_time == 12500
    assert child.inputs.dataset_inputs[0].dataset.digest == "0123456789ab"
    copies = tmp_path / "results/mlflow-artifacts" / child.info.run_id / "artifacts"
    assert sorted(path.name for path in copies.iterdir()) == [
        "metrics.json",
        "provenance.json",
        "train.jsonl",
    ]
    first, second = links(database, "test toy")
    assert first[1] == "#/experiments/1/runs"
    assert parent.info.run_id in second[1]
    assert known["hrnet", ""].info.run_id not in second[1]


def test_moved_folder_and_deleted_database(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    again()
    before = rows(tmp_path / "results/mlflow.db", POINTS)
    moved = (tmp_path / "results").rename(tmp_path / "elsewhere")
    assert sync(moved / "mlflow.db", "test toy", read_runs(moved / "runs/toy"), TAGS).kept == 3
    with opened(moved / "mlflow.db", "test toy") as store:
        for run in mlflow_sync._known(store).values():
            assert "results" not in run.info.artifact_uri
    bare = moved.rename(tmp_path / "bare")
    (bare / "mlflow.db").unlink()
    assert sync(bare / "mlflow.db", "test toy", read_runs(bare / "runs/toy"), TAGS).written == 3
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
    assert rows(database, ACTIVE) == [(3,)]
    with opened(database, "test toy") as store:
        known = mlflow_sync._known(store)
    assert known["full", ""].data.metrics["total"] == 55
    assert {run.data.tags["mlflow.parentRunId"] for (_, s), run in known.items() if s} == {
        known["full", ""].info.run_id
    }
    copies = {path.parent.name for path in tmp_path.glob("results/mlflow-artifacts/*/artifacts")}
    assert copies == {run.info.run_id for (_, seed), run in known.items() if seed}
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
    assert rows(database, ACTIVE) == [(5,)]  # two of the user, one parent, two children
    assert all(copy.read_text() == "mine" for copy in copies)
    assert not list(database.parent.glob("mlflow-broken*"))


def test_killed_while_it_begins_a_run_leaves_none_without_tags(
    tmp_path: Path, again: Callable[[], Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(mlflow_sync, "_log", dies)
        with pytest.raises(KeyboardInterrupt):
            again()
    assert again() == Counts(3, 0, 0)
    assert rows(tmp_path / "results/mlflow.db", ACTIVE) == [(5,)]


def test_writer_killed_half_way_is_mended(
    tmp_path: Path, again: Callable[[], Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    finish = mlflow_sync._finish
    calls = []

    def dies(*arguments: object) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        finish(*arguments)

    monkeypatch.setattr(mlflow_sync, "_finish", dies)
    with pytest.raises(KeyboardInterrupt):
        again()
    monkeypatch.setattr(mlflow_sync, "_finish", finish)
    again()
    database = tmp_path / "results/mlflow.db"
    assert rows(database, ACTIVE) == [(5,)]
    assert rows(database, POINTS) == [(3 * STEPS,)]


def test_tables_name_a_variant_only_now(
    tmp_path: Path, runs: Path, again: Callable[[], Counts]
) -> None:
    again()
    database = tmp_path / "results/mlflow.db"
    tags = {"hrnet": {"table.II": "HRNet"}}
    assert sync(database, "test toy", read_runs(runs), tags) == Counts(0, 3, 0)
    with opened(database, "test toy") as store:
        known = mlflow_sync._known(store)
    assert known["hrnet", "0"].data.tags["table.II"] == "HRNet"
    assert "table.II" not in known["full", ""].data.tags


def test_an_origin_is_brought_up_to_date_and_goes_with_the_row(tmp_path: Path, runs: Path) -> None:
    database = tmp_path / "results/mlflow.db"

    def origins(tags: dict[str, dict[str, str]]) -> set[str | None]:
        sync(database, "test toy", read_runs(runs), tags)
        with opened(database, "test toy") as store:
            known = mlflow_sync._known(store)
        assert "tips.origin" not in known["full", ""].data.tags
        return {known["hrnet", seed].data.tags.get("tips.origin") for seed in ("", "0")}

    assert origins({"hrnet": {"tips.origin": "ours"}}) == {"ours"}
    assert origins({"hrnet": {"tips.origin": "re-implemented"}}) == {"re-implemented"}
    assert origins({}) == {None}


def test_two_experiments_share_a_database(tmp_path: Path, runs: Path) -> None:
    database = tmp_path / "results/mlflow.db"
    sync(database, "one", read_runs(runs), {})
    sync(database, "two", read_runs(runs), {})
    count = "SELECT experiment_id, count(*) FROM runs GROUP BY experiment_id ORDER BY 1"
    assert rows(database, count) == [(2, 5), (3, 5)]


def test_runs_on_their_way_are_left_out(runs: Path) -> None:
    (runs / "hrnet/seed-0/metrics.json").unlink()
    assert [(run.variant, run.seed) for run in read_runs(runs)] == [("full", 0), ("full", 1)]


def test_table_tags_join_rows_of_one_table() -> None:
    base = {"label": "", "printed": (), "boxes": "gt"}
    table = {
        "name": "2",
        "roman": "II",
        "title": "",
        "dataset": None,
        "columns": (),
        "value": None,
        "baseline": None,
        "notes": (),
        "claims": (),
        "rows": (
            base | {"row": "e", "variant": "full"},
            base | {"row": "f", "variant": "full"},
            base | {"row": "g", "variant": None},
        ),
    }
    assert table_tags(Tables.model_validate({"tables": (table,)})) == {
        "full": {"tips.origin": "ours", "table.II": "e, f"}
    }


def test_tables_of_our_own_are_tags_too() -> None:
    tags = table_tags(load_tables(Path(__file__).parents[2] / "experiments/tables.yaml"))
    assert tags["dcpose"] == {
        "tips.origin": "re-implemented",
        "table.II": "DCPose",
        "table.M": "DCPose",
    }
    assert tags["interim-true"] == {"tips.origin": "ours", "table.interim": "true"}
    assert tags["tdmi"]["tips.origin"] == "re-implemented, MI surrogate"
    assert tags["tips"]["table.M"] == "TIPS"
    assert all(re.fullmatch(r"[\w. /-]+", name) for own in tags.values() for name in own)


def test_flatten() -> None:
    nested = {"a": {"b": 1, "c": {"d": None}}, "e": [1, 2], "f": "text", "g": {}}
    assert flatten(nested) == {"a.b": "1", "a.c.d": "null", "e": "[1, 2]", "f": "text", "g": "{}"}


def test_importing_needs_neither_torch_nor_mlflow() -> None:
    code = (
        "import sys, tips.stages.track, tips.stages.ui; "
        "sys.exit(bool({'torch', 'mlflow'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
