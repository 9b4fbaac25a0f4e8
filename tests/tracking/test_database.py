"""The file of the MLflow database: whole, half made, damaged, and made by a process that dies."""

import json
import logging
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tips.records import RecordError
from tips.tracking import database as files
from tips.tracking import mlflow_sync
from tips.tracking.mlflow_sync import Counts, sync
from tips.tracking.run_files import read_runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::DeprecationWarning"),
    pytest.mark.filterwarnings("default::FutureWarning"),
]
SEED = 19
KILLS = 2


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, blank: Path) -> Path:
    """A database with one run."""
    folder = tmp_path_factory.mktemp("whole")
    shutil.copyfile(blank, folder / "mlflow.db")
    sync(folder / "mlflow.db", "test toy", read_runs(a_run(folder)), {})
    return folder / "mlflow.db"


def a_run(folder: Path) -> Path:
    run = folder / "runs/full/seed-0"
    run.mkdir(parents=True)
    (run / "metrics.json").write_text(json.dumps({"total": 50}))
    return folder / "runs"


def test_a_new_database_is_whole_and_alone(whole: Path) -> None:
    assert files.problem(whole) == ""
    assert {path.name for path in whole.parent.iterdir()} == {
        *("mlflow.db", "mlflow.lock", "mlflow-artifacts", "runs")
    }


@pytest.mark.parametrize("name", ["a?b", "a#b", "a b", "a%41", "a&b=c"])
def test_a_checkout_s_name_is_no_part_of_the_address(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    shutil.copytree(whole.parent, tmp_path / name / "results")
    monkeypatch.chdir(tmp_path / name)
    database = Path("results/mlflow.db").absolute()
    assert sync(database, "test toy", read_runs(Path("results/runs")), {}) == Counts(0, 1, 0)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_database_that_was_cut_is_never_believed(whole: Path, tmp_path: Path) -> None:
    content = whole.read_bytes()

    @given(st.one_of(st.integers(0, 5000), st.integers(0, len(content) - 1)))
    @settings(max_examples=60)
    def check(size: int) -> None:
        cut = tmp_path / "cut.db"
        cut.write_bytes(content[:size])
        assert files.problem(cut)
        assert cut.read_bytes() == content[:size]

    check()


def test_a_database_in_the_making_is_never_believed(whole: Path, tmp_path: Path) -> None:
    """Without any one table, and with the version of an earlier step."""
    with closing(sqlite3.connect(whole)) as connection:
        named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [name for (name,) in named if not name.startswith("sqlite_")]
    for statement in (
        *(f"DROP TABLE {name}" for name in tables),
        "UPDATE alembic_version SET version_num = '451aebb31d03'",
        "DELETE FROM alembic_version",
        "ALTER TABLE experiments DROP COLUMN last_update_time",
    ):
        half = Path(shutil.copyfile(whole, tmp_path / "half.db"))
        with closing(sqlite3.connect(half)) as connection:
            connection.execute(statement)
            connection.commit()
        assert files.problem(half), statement


def test_a_file_that_cannot_be_read_is_not_called_broken(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.01)
    mine = Path(shutil.copyfile(whole, tmp_path / "mlflow.db"))
    with closing(sqlite3.connect(mine)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(RecordError, match=r"mlflow\.db: cannot be read \(database is locked\)"):
            files.prepare(mine)
    files.prepare(mine)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


def test_broken_ones_are_kept_and_made_again_from_the_runs(
    whole: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_make", lambda new: shutil.copyfile(whole, new))
    database, runs = tmp_path / "mlflow.db", a_run(tmp_path)
    for number, content in enumerate((b"", b"notes, no database\n", whole.read_bytes()[:-4096]), 1):
        database.write_bytes(content)
        (tmp_path / "mlflow.db-journal").write_bytes(b"x")
        caplog.clear()
        with caplog.at_level(logging.WARNING, files.__name__):
            sync(database, "test other", read_runs(runs), {})
        assert files.problem(database) == ""
        assert (tmp_path / f"mlflow-broken-{number}.db").read_bytes() == content
        assert not (tmp_path / "mlflow.db-journal").exists()
        (said,) = caplog.messages
        assert f"it is kept as mlflow-broken-{number}.db" in said
        assert "\n" not in said
    assert sync(database, "test other", read_runs(runs), {}) == Counts(0, 1, 0)
    assert len(list((tmp_path / "mlflow-artifacts").iterdir())) == 1  # none of the broken ones


def test_whatever_lies_in_its_place_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_make", Path.touch)
    database = tmp_path / "mlflow.db"
    database.mkdir()
    files.prepare(database)
    assert (tmp_path / "mlflow-broken-1.db").is_dir()
    database.unlink()
    database.symlink_to("nowhere")
    files.prepare(database)
    assert (tmp_path / "mlflow-broken-2.db").is_symlink()
    assert database.is_file()


def test_artifacts_of_nobody_go_and_those_of_others_stay(whole: Path, tmp_path: Path) -> None:
    shutil.copytree(whole.parent, tmp_path / "results")
    database, artifacts = tmp_path / "results/mlflow.db", tmp_path / "results/mlflow-artifacts"
    (mine,) = artifacts.iterdir()
    for name in ("0" * 32, "my-own-folder"):
        (artifacts / name).mkdir()
    with closing(sqlite3.connect(database)) as connection:
        connection.execute(
            "INSERT INTO runs (run_uuid, experiment_id, lifecycle_stage)"
            f" VALUES ('{'a' * 32}', 0, 'deleted')"
        )
        connection.commit()
    (artifacts / ("a" * 32)).mkdir()
    sync(database, "test toy", read_runs(tmp_path / "results/runs"), {})
    assert {path.name for path in artifacts.iterdir()} == {mine.name, "a" * 32, "my-own-folder"}


@pytest.mark.parametrize("before", ["set_terminated", "set_tag", "delete_run"])
def test_killed_while_it_ends_a_run(
    whole: Path, tmp_path: Path, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run counts as complete only when it has ended, whatever came in between."""
    from mlflow.tracking import MlflowClient

    shutil.copytree(whole.parent, tmp_path / "results")
    database, runs = tmp_path / "results/mlflow.db", tmp_path / "results/runs"
    (runs / "full/seed-0/metrics.json").write_text(json.dumps({"total": 60}))

    def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, before, dies)
        with pytest.raises(KeyboardInterrupt):
            sync(database, "test toy", read_runs(runs), {})
    sync(database, "test toy", read_runs(runs), {})
    with mlflow_sync.opened(database, "test toy") as store:
        known = mlflow_sync._known(store)
    assert set(known) == {("full", ""), ("full", "0")}
    for run in known.values():
        assert run.info.status == "FINISHED"
        assert run.data.metrics["total"] == 60
    assert sync(database, "test toy", read_runs(runs), {}) == Counts(0, 1, 0)


MAKE = """
import sys
from pathlib import Path
from tips.tracking import database
with database.locked(Path(sys.argv[1])):
    print("begun", flush=True)
    database.prepare(Path(sys.argv[1]))
"""


def test_killed_while_it_makes_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none or a whole one, at every moment; what was half made goes."""
    moments = random.Random(SEED)
    database = tmp_path / "results/mlflow.db"
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", MAKE, database], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert child.stdout
        assert child.stdout.readline() == b"begun\n"
        folder = database.parent
        while not (list(folder.glob(f"{files.MAKING}*/mlflow.db")) or database.exists()):
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 1))
        os.kill(child.pid, signal.SIGKILL)
        child.communicate()
        assert not database.exists() or files.problem(database) == ""
        database.unlink(missing_ok=True)
    monkeypatch.setattr(files, "_make", Path.touch)
    files.prepare(database)
    assert {path.name for path in database.parent.iterdir()} == {"mlflow.db", "mlflow.lock"}
