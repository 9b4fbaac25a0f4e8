import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_runs import ACTIVE, POINTS, STEPS, TAGS, make_run, rows

from tips.tracking.mlflow_store import Store, opened
from tips.tracking.mlflow_sync import Counts, Told, sync
from tips.tracking.run_files import read_runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.filterwarnings("default::FutureWarning"),
]


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
        folder = tmp_path / "results/mlflow-artifacts"
        copies = [folder / run.info.run_id / "artifacts/mine.txt" for run in mine]
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
